package hook

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/program"
)

// State is what this director is to a group.
type State string

// The states that hooks follow.
const (
	Owner   State = "owner"
	Standby State = "standby"
	Fault   State = "fault" // it cannot own the group
	Stop    State = "stop"  // the group, or this director's part in it, is no more
)

// Hook is a program that is run, without a shell, when the state of a group is another.
type Hook struct {
	Name    string        // for people; default: the program
	On      []State       // in which states; default: in all
	Command []string      // the program by its absolute path, and its arguments
	User    string        // who runs it; default: nobody
	Timeout time.Duration // of one run, then its whole process group is killed; default: 30s
}

// Group is what is known of a group: its hooks, in order, and its addresses, which hooks are told. When
// the addresses change, hooks that were done are due again.
type Group struct {
	Hooks     []Hook
	Addresses []netip.Prefix
}

const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = time.Hour
)

// Validate says all that is wrong with the hook.
func (h Hook) Validate() error {
	var errs []error
	if len(h.Command) == 0 {
		errs = append(errs, errors.New("command: empty"))
	} else if !path.IsAbs(h.Command[0]) {
		errs = append(errs, errors.New("command: path is not absolute"))
	}
	for _, s := range h.On {
		if s != Owner && s != Standby && s != Fault && s != Stop {
			errs = append(errs, fmt.Errorf("on: no state %q, there are owner, standby, fault and stop", s))
		}
	}
	if h.Timeout < 0 || h.Timeout > maxTimeout {
		errs = append(errs, fmt.Errorf("timeout: %v is not between 0s and %v", h.Timeout, maxTimeout))
	}
	return errors.Join(errs...)
}

// Check says why the hook cannot be run on this host, naming the component of the program's path that
// is at fault; nil if it can be.
func (h Hook) Check() error {
	if err := h.Validate(); err != nil {
		return err
	}
	user, err := h.user()
	if err == nil {
		err = program.Check(h.Command[0], user)
	}
	if err != nil {
		return fmt.Errorf("hook %s: %w", h.Command[0], err)
	}
	return nil
}

func (h Hook) user() (program.User, error) {
	if h.User == "" && os.Geteuid() == 0 {
		return program.UserFor(program.Nobody)
	}
	return program.UserFor(h.User)
}

// label is what the hook is called.
func (h Hook) label() string {
	if h.Name == "" && len(h.Command) > 0 {
		return h.Command[0]
	}
	return h.Name
}

func (h Hook) on(s State) bool { return len(h.On) == 0 || slices.Contains(h.On, s) }

// task is a hook of a group. One with another key is another task, and what the old one has done says
// nothing of it.
type task struct {
	hook      Hook
	addresses []netip.Prefix
	key       string
}

// tasks returns what is to be run in a state, in order and none twice.
func (g Group) tasks(s State) []task {
	var list []task
	for _, h := range g.Hooks {
		if !h.on(s) {
			continue
		}
		t := task{hook: h, addresses: g.Addresses, key: key(h, g.Addresses)}
		if !slices.ContainsFunc(list, func(other task) bool { return other.key == t.key }) {
			list = append(list, t)
		}
	}
	return list
}

func key(h Hook, addresses []netip.Prefix) string {
	b, err := json.Marshal([]any{h.Name, h.Command, h.User, addresses})
	if err != nil {
		panic("hook: strings and addresses do not encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Run is one run of a hook.
type Run struct {
	Group   string
	State   State
	Epoch   uint64
	Reason  string
	Attempt int // the first is 1

	task task
}

// Hook returns what the hook is called.
func (r Run) Hook() string { return r.task.hook.label() }

func (r Run) timeout() time.Duration { return cmp.Or(r.task.hook.Timeout, defaultTimeout) }

// env is what the hook is told.
func (r Run) env(director string) []string {
	var addresses []string
	for _, a := range r.task.addresses {
		addresses = append(addresses, a.String())
	}
	return []string{
		"QUORATE_GROUP=" + r.Group,
		"QUORATE_STATE=" + string(r.State),
		"QUORATE_EPOCH=" + strconv.FormatUint(r.Epoch, 10),
		"QUORATE_REASON=" + program.Printable(r.Reason, 500),
		"QUORATE_DIRECTOR=" + director,
		"QUORATE_ADDRESSES=" + strings.Join(addresses, " "),
	}
}
