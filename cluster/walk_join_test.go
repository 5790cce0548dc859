package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/fsm"
)

// joinAndVote is a joiner that votes by its end, which it acknowledges: its own log has begun then.
func joinAndVote(c walkCords) {
	cfg := c.config()
	cfg.Heartbeat = beat // its cluster's
	check(whileElecting(func() error { return Join(context.Background(), cfg, c.Via, c.Token, func(string) {}) }))
	acknowledge("join")
	n := must(Open(cfg))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	until(func() error {
		if !n.Voter() || !n.Current() {
			return errors.New("not yet")
		}
		return nil
	})
	acknowledge("vote")
	stop()
	check(<-ended)
}

// electsWithin is for how long a cluster may lose its leader again and again: as long as [eventually] waits.
const electsWithin = time.Minute

// whileElecting does something again that a cluster did not do since nobody led it: on a machine that is busy it elects now
// and then.
func whileElecting(f func() error) error {
	for end := time.Now().Add(electsWithin); ; time.Sleep(beat / 4) {
		err := f()
		if err == nil || !lostLeader(err) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("nobody leads for %v: %w", electsWithin, err)
		}
	}
}

// hosts is the cluster that joiners come to. It has a majority whoever of two joiners at a time is killed.
type hosts struct {
	t  *testing.T
	ns []*testnode

	mu     sync.Mutex
	looked map[string]bool // joiners of which one of two remains was looked at
}

func newHosts(t *testing.T) *hosts {
	h := &hosts{t: t, looked: map[string]bool{}}
	h.ns = three(t)
	return h
}

// token lets one joiner in.
func (h *hosts) token() string {
	for {
		text, err := h.ns[0].CreateToken(h.t.Context(), fsm.RoleDirector, time.Hour)
		if err == nil || h.t.Context().Err() != nil {
			return text
		}
	}
}

// compact has every host's log begin with a snapshot, so that a joiner is sent that, and the log does not grow from one
// joiner to the next.
func (h *hosts) compact() {
	for _, n := range h.ns {
		r := n.raft.Load()
		c := r.ReloadableConfig()
		c.TrailingLogs = 1
		if err := r.ReloadConfig(c); err != nil {
			h.t.Error(err)
		}
		_ = r.Snapshot().Error() // while members come and go it cannot always be made: then before the next joiner
	}
}

// invite names a joiner after the step before which it is killed, and gives it a token of its own.
func (h *hosts) invite(kill int, c *walkCords) {
	h.compact()
	c.Name, c.Via, c.Token = fmt.Sprint("j", kill), h.ns[0].cfg.Bind.String(), h.token()
}

// goesOn returns nil if what is left of a join can be run again with the same token, and is then the member that was let
// in, if one was.
func (h *hosts) goesOn(s survivor) (err error) {
	name := s.cfg.Name
	before, admitted := h.ns[0].State().Members[name]
	if len(s.acked) > 0 && (!admitted || !Exists(s.cfg.DataDir)) {
		return errors.New("the join had ended, and nobody knows of it")
	}
	if !admitted { // what else is left of it may come with a key of its own, since nobody has seen one
		s.token = h.token()
	}
	defer func() { err = errors.Join(err, h.part(name, !admitted)) }()
	again := func() error { return Join(h.t.Context(), s.cfg, h.ns[0].cfg.Bind.String(), s.token, func(string) {}) }
	if err := whileElecting(again); err != nil {
		return fmt.Errorf("join again: %w", err)
	}
	n, err := Open(s.cfg)
	if err != nil {
		return fmt.Errorf("it does not start: %w", err)
	}
	defer n.Close()
	if is := h.ns[0].State().Members[name]; is.ID != n.id.ID || admitted && before.ID != is.ID {
		return fmt.Errorf("it has the ID %s, and that of the member is %s, and was %q", n.id.ID, is.ID, before.ID)
	}
	if slices.Contains(s.acked, "vote") && n.State().Members[name].ID != n.id.ID {
		return fmt.Errorf("it had caught up, and starts with entry %d", n.State().Index)
	}
	all := newMachine(n.log)
	if _, err := all.replay(n.store, math.MaxUint64); err != nil {
		return err
	}
	if slices.Contains(s.acked, "vote") && all.state.Load().Members[name].ID != n.id.ID {
		return fmt.Errorf("it had caught up, and its log leads to entry %d", all.state.Load().Index)
	}
	return all.asHalted()
}

// part removes a joiner after the second look at what is left of it, or at once.
func (h *hosts) part(name string, now bool) error {
	h.mu.Lock()
	second := h.looked[name]
	h.looked[name] = true
	h.mu.Unlock()
	if !now && !second {
		return nil
	}
	err := whileElecting(func() error { return h.ns[0].Remove(h.t.Context(), name, true) })
	if isNoMember(err) {
		return nil
	}
	return err
}

func TestAJoinThatIsCutOffAtAnyStepIsRunAgain(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	w := walk{scenario: "join", prepare: h.invite, every: part(43), after: h.goesOn}
	if all := w.proves(t); proofs() && len(all.steps) < 40 {
		t.Errorf("only %d steps were walked", len(all.steps))
	}
}

// TestTheWalkFindsAJoinThatIsAcknowledgedTooEarly has the disk lie about the sync of the key.
func TestTheWalkFindsAJoinThatIsAcknowledgedTooEarly(t *testing.T) {
	t.Parallel()
	h := newHosts(t)
	w := walk{scenario: "join", prepare: h.invite, after: h.goesOn, lie: func(s fileStep) bool { return strings.Contains(s.path, pki.KeyFile) }}
	s, cords := w.begin(t, 0) // to its end, and then the power is cut
	defer s.disk.close()
	if done, err := s.run(cords); !done {
		t.Fatal(err)
	}
	if lost := w.look(t, s, cords); len(lost) != 1 || !strings.Contains(lost[0], "power cut") {
		t.Errorf("found %q", lost)
	}
}
