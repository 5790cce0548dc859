package agent

import (
	"context"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

// maxAuthor is how many bytes the name has at most for which root asks: those of users have no more than 32.
const maxAuthor = 64

type callerKey struct{}

// peer is the user of this host who opened a connection to the API's socket: the kernel says it.
type peer struct {
	uid    uint32
	groups []uint32
}

// withCaller remembers who opened a connection.
func withCaller(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	var cred *unix.Ucred
	var groups []uint32
	bad := raw.Control(func(fd uintptr) {
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			groups = peerGroups(int(fd))
		}
	})
	if bad != nil || err != nil {
		return ctx
	}
	return context.WithValue(ctx, callerKey{}, peer{cred.Uid, append(groups, cred.Gid)})
}

// maxGroups is how many groups a process can be in (Linux: NGROUPS_MAX).
const maxGroups = 65536

// peerGroups returns the groups of who opened a connection, besides its first one.
func peerGroups(fd int) []uint32 {
	for room := 64; room <= maxGroups; room *= 32 {
		groups := make([]uint32, room)
		size := uint32(room * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 {
			return groups[:size/4]
		}
		if errno != unix.ERANGE {
			return nil // in no group: that gives no role
		}
	}
	return nil
}

// caller says who makes a request, and in which role: the holder of a certificate on the cluster port, or a user of
// this host.
func (a *Agent) caller(ctx context.Context) api.Caller { return callerIn(ctx, a.cfg.File) }

func callerIn(ctx context.Context, file config.Agent) api.Caller {
	if c, ok := cluster.CallerOf(ctx); ok {
		return api.Caller{Name: callerName(c), Role: c.Role}
	}
	p, ok := ctx.Value(callerKey{}).(peer)
	return api.Caller{Name: userName(p.uid, ok), Role: roleOf(p, ok, file), Local: true}
}

func callerName(c cluster.Caller) string {
	if c.Member {
		return c.Name
	}
	return "certificate " + c.Name
}

// roleOf is what a user of this host may do. Root, and who the agent itself runs as, could do it without the agent.
func roleOf(p peer, known bool, file config.Agent) fsm.Role {
	if !known {
		return ""
	}
	if p.uid == 0 || p.uid == uint32(os.Geteuid()) {
		return fsm.RoleAdmin
	}
	for _, r := range []struct {
		group string
		role  fsm.Role
	}{
		{file.AdminGroup, fsm.RoleAdmin}, {file.OperatorGroup, fsm.RoleOperator}, {file.SocketGroup, fsm.RoleViewer},
	} {
		if gid, ok := groupID(r.group); ok && slices.Contains(p.groups, gid) {
			return r.role
		}
	}
	return ""
}

func groupID(name string) (uint32, bool) {
	if name == "" {
		return 0, false
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	gid, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(gid), err == nil
}

// author names who asks for a change, for the history: the name in the certificate, or the user who opened the socket. Root may
// claim to ask for somebody else, as sudo does; nobody else may.
func (s *session) author(ctx context.Context, claimed string) string {
	if c, ok := cluster.CallerOf(ctx); ok {
		return callerName(c)
	}
	p, ok := ctx.Value(callerKey{}).(peer)
	name := program.Printable(claimed, maxAuthor) // what it says is in the history, the events and the log, and on terminals
	if !ok || p.uid != 0 || name == "" {
		name = userName(p.uid, ok)
	}
	return name + "@" + s.cfg.Name
}

func userName(uid uint32, known bool) string {
	if !known {
		return "somebody"
	}
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}
