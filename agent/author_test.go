package agent

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/user"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

func TestTheGroupsOfACallerGiveItsRole(t *testing.T) {
	// Two groups of this host, whichever they are: root's, and one besides.
	other, err := user.LookupGroup("daemon")
	if err != nil {
		t.Fatal(err)
	}
	gid, ok := groupID(other.Name)
	if !ok {
		t.Fatal("no ID of " + other.Name)
	}
	zero, err := user.LookupGroupId("0")
	if err != nil {
		t.Fatal(err)
	}
	stranger := func(groups ...uint32) peer { return peer{uid: math.MaxUint32 - 7, groups: groups} }
	for _, tt := range []struct {
		name string
		who  peer
		file config.Agent
		want fsm.Role
	}{
		{"root", peer{}, config.Agent{}, fsm.RoleAdmin},
		{"who the agent runs as", peer{uid: uint32(os.Geteuid())}, config.Agent{}, fsm.RoleAdmin},
		{"who is in no group", stranger(), config.Agent{SocketGroup: other.Name, OperatorGroup: other.Name, AdminGroup: other.Name}, ""},
		{"where no group is named", stranger(gid), config.Agent{}, ""},
		{"a group that is not there", stranger(gid), config.Agent{SocketGroup: "no-such-group-here"}, ""},
		{"the socket's group", stranger(5, gid), config.Agent{SocketGroup: other.Name}, fsm.RoleViewer},
		{"the operators", stranger(0, gid), config.Agent{SocketGroup: zero.Name, OperatorGroup: other.Name}, fsm.RoleOperator},
		{"the admins", stranger(0, gid), config.Agent{SocketGroup: zero.Name, OperatorGroup: zero.Name, AdminGroup: other.Name}, fsm.RoleAdmin},
		{"in the socket's alone", stranger(0), config.Agent{SocketGroup: zero.Name, OperatorGroup: other.Name, AdminGroup: other.Name}, fsm.RoleViewer},
	} {
		if got := roleOf(tt.who, true, tt.file); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := roleOf(peer{}, false, config.Agent{}); got != "" {
		t.Errorf("whom the kernel does not name: %q", got)
	}
}

func TestTheKernelSaysInWhichGroupsACallerIs(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	mine, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	got := peerGroups(fds[0])
	for _, g := range mine {
		if !slices.Contains(got, uint32(g)) {
			t.Errorf("groups %v, and this process is in %d", got, g)
		}
	}
	if len(got) != len(mine) {
		t.Errorf("groups %v, want %v", got, mine)
	}
}

func TestOnlyAnAdminHasDirectorsRunWhatTheyDidNot(t *testing.T) {
	s := &session{}
	have := fsm.Config{Services: fsm.MapOf(map[string]fsm.Service{"web": {Checks: []fsm.Check{{Command: []string{"/check", "-v"}, User: "ann"}}}})}
	delta := func(user string, command ...string) fsm.Delta {
		return fsm.Delta{Services: map[string]*fsm.Service{"mail": {Checks: []fsm.Check{{Command: command, User: user}}}}}
	}
	somebody := context.WithValue(t.Context(), callerKey{}, peer{uid: math.MaxUint32 - 7})
	for _, tt := range []struct {
		name  string
		delta fsm.Delta
		text  string
	}{
		{"the same", delta("ann", "/check", "-v"), ""},
		{"a weight", fsm.Delta{Services: map[string]*fsm.Service{"mail": {}}}, ""},
		{"taken away", fsm.Delta{Services: map[string]*fsm.Service{"web": nil}}, ""},
		{"another user", delta("root", "/check", "-v"), "the program `/check -v` as root runs nowhere"},
		{"other arguments", delta("ann", "/check", "-v", "-x"), "the program `/check -v -x` as ann runs nowhere"},
		{"another program", delta("", "/bin/sh", "-c", "id"), "the program `/bin/sh -c id` runs nowhere"},
		{"a hook", fsm.Delta{Routers: map[string]*fsm.Router{"r": {Needs: fsm.Needs{Hooks: []fsm.Hook{{Command: []string{"/h"}}}}}}}, "the program `/h` runs nowhere"},
	} {
		err := s.mayRun(somebody, have, tt.delta)
		if tt.text == "" && err != nil || tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: %v", tt.name, err)
		}
		planned := s.refused(somebody, &fsm.State{Config: have}, tt.delta, false)
		if got := fmt.Sprint(planned.Err()); tt.text == "" && len(planned) > 0 || !strings.Contains(got, tt.text) || strings.Contains(got, "applied") {
			t.Errorf("%s: the plan says %v", tt.name, planned)
		}
		root := context.WithValue(t.Context(), callerKey{}, peer{})
		if err := s.mayRun(root, have, tt.delta); err != nil || len(s.refused(root, &fsm.State{Config: have}, tt.delta, false)) > 0 {
			t.Errorf("%s, for root: %v", tt.name, err)
		}
	}
}
