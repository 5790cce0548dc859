package program

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
)

// User is whom a program runs as.
type User struct {
	Name     string
	UID, GID uint32
}

const (
	Owner  = "quorate-check" // runs programs for which nobody is named; it has little else to do, so 256 processes must do
	Nobody = "nobody"        // does where there is no such user
)

// UserFor returns the user of that name, or, if it is empty, [Owner] or [Nobody]. An agent that is not
// root can run programs only as itself, and does so if the name is empty.
func UserFor(name string) (User, error) {
	if os.Geteuid() != 0 {
		return self(name)
	}
	names := []string{Owner, Nobody}
	if name != "" {
		names = []string{name}
	}
	for _, n := range names {
		u, err := user.Lookup(n)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uerr, gerr); err != nil {
			return User{}, fmt.Errorf("user %q: %w", n, err)
		}
		return User{Name: n, UID: uint32(uid), GID: uint32(gid)}, nil
	}
	return User{}, fmt.Errorf("user %s: no such user on this host", strings.Join(names, ", "))
}

func self(name string) (User, error) {
	me := User{Name: "the agent's user", UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	if name == "" {
		return me, nil
	}
	if u, err := user.Lookup(name); err != nil || u.Uid != strconv.Itoa(os.Geteuid()) {
		return User{}, fmt.Errorf("user %q: the agent is not root and can run scripts only as itself", name)
	}
	return me, nil
}

// credential is what a process of the user is started with; nil: as the agent.
func (u User) credential() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: u.UID, Gid: u.GID}
}

// may reports whether the user has permission bit want (4, 2 or 1) on a file.
func (u User) may(st *syscall.Stat_t, want uint32) bool {
	switch {
	case u.UID == 0:
		return want != 1 || st.Mode&0o111 != 0 || st.Mode&syscall.S_IFMT == syscall.S_IFDIR
	case u.UID == st.Uid:
		return st.Mode>>6&want != 0
	case u.GID == st.Gid:
		return st.Mode>>3&want != 0
	default:
		return st.Mode&want != 0
	}
}
