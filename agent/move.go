package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// Times of a planned move. The owner that was asked to yield goes on as if nothing were when no
// claim is heard within yieldWait.
const (
	moveLimit = 5 * time.Second
	yieldWait = 500 * time.Millisecond
	pushAfter = 60 * time.Millisecond // the owner has dropped the addresses by then: its table is final
)

// yieldRequest asks the owner of a group to let its next owner take it.
type yieldRequest struct {
	Group string `json:"group"`
	Epoch uint64 `json:"epoch"` // of the intent
}

// takeIntents starts the moves that the log wants to this director.
func (s *session) takeIntents(ctx context.Context) {
	state := s.node.State()
	for name, g := range state.Groups {
		if g.Intent == nil || g.Intent.To != s.cfg.Name || !s.node.Current() {
			continue
		}
		if _, busy := s.moving.LoadOrStore(name, true); busy {
			continue
		}
		s.group.Go(func() error {
			defer s.moving.Delete(name)
			s.take(ctx, name, g)
			return nil
		})
	}
}

// take carries out one planned move to this director and tells the log its outcome. When it fails,
// nothing has changed.
func (s *session) take(ctx context.Context, group string, g fsm.Ownership) {
	ctx, cancel := context.WithTimeout(ctx, moveLimit)
	defer cancel()
	begin := time.Now()
	var outcome fsm.Command = fsm.SetOwner{Group: group, Owner: s.cfg.Name, Epoch: g.Intent.Epoch, Reason: g.Intent.Reason}
	if err := s.claim(ctx, group, g); err != nil {
		s.log.Warn("planned move failed, nothing has changed", "group", group, "from", g.Owner, "err", err)
		outcome = fsm.DropIntent{Group: group, Epoch: g.Intent.Epoch, Reason: err.Error()}
	} else {
		s.log.Info("took over", "group", group, "from", g.Owner, "took", time.Since(begin).Round(time.Millisecond))
	}
	if err := s.node.Propose(ctx, outcome); err != nil && !errors.Is(err, fsm.ErrStale) {
		s.log.Warn("outcome of a move not told", "group", group, "err", err)
	}
}

// claim is make before break: the owner's connections are here before it is asked to yield; it
// stops advertising when it hears the claim, and drops its addresses after ours are announced.
func (s *session) claim(ctx context.Context, group string, g fsm.Ownership) error {
	if s.keeper.Active(group) {
		return nil
	}
	if err := s.pull(ctx, g.Owner); err != nil {
		return fmt.Errorf("connections of %s: %w", g.Owner, err)
	}
	body, err := json.Marshal(yieldRequest{group, g.Intent.Epoch})
	if err != nil {
		return err
	}
	if err := s.ask(ctx, g.Owner, http.MethodPost, "/peer/yield", body, nil); err != nil {
		return err
	}
	deaf := s.keeper.DeafTo(group, s.node.State().Members[g.Owner].Sources)
	if err := s.keeper.Claim(ctx, group, ownership.ClaimPriority(ownership.OwnerPriority)); err != nil {
		return fmt.Errorf("claim %s: %w", group, err)
	}
	if err := s.told(ctx, group, g.Owner, body, deaf); err != nil {
		return err
	}
	// Connections that began while we moved: once at once, for they send already, and once when
	// the old owner can have no new ones.
	if err := s.pull(ctx, g.Owner); err != nil {
		s.log.Warn("newest connections not received", "from", g.Owner, "err", err)
	}
	if sleep(ctx, pushAfter) {
		if err := s.pull(ctx, g.Owner); err != nil {
			s.log.Warn("newest connections not received", "from", g.Owner, "err", err)
		}
	}
	return nil
}

// told tells the owner of a claim by another way than the wire, where it may not have been heard. Deaf is a
// router on which the owner was not heard before, or "": there the claim is withdrawn if the owner does not
// answer, since two would own the group.
func (s *session) told(ctx context.Context, group, owner string, request []byte, deaf string) error {
	ask, cancel := context.WithTimeout(ctx, yieldWait)
	defer cancel()
	err := s.ask(ask, owner, http.MethodPost, "/peer/claimed", request, nil)
	if err == nil {
		return nil
	}
	s.log.Warn("the owner does not say that it has let go", "group", group, "owner", owner, "err", err)
	if deaf != "" {
		s.keeper.Resign(ctx, group)
		return fmt.Errorf("%s was not told of the claim, and is not heard on %s: withdrawn", owner, deaf)
	}
	return nil
}

// serveClaimed is told that the next owner has claimed: who has not heard it concedes now.
func (s *session) serveClaimed(w http.ResponseWriter, r *http.Request) {
	var q yieldRequest
	if !read(w, r, smallBody, &q) {
		return
	}
	if g := s.node.State().Groups[q.Group]; g.Epoch >= q.Epoch {
		w.WriteHeader(http.StatusNoContent) // it is over already
		return
	}
	conceded, err := s.keeper.Concede(r.Context(), q.Group)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	if conceded {
		peer, _ := cluster.Peer(r.Context())
		s.events.add(s.cfg.Name, 0, "guard", q.Group, fmt.Sprintf("%s did not hear the claim of %s, and conceded %s to it", s.cfg.Name, peer, q.Group))
	}
	w.WriteHeader(http.StatusNoContent)
}

// relieve hands over what this host owns when its keeper has been told to stop: it waits for that.
func (s *session) relieve(ctx context.Context) {
	if !s.keeper.Status().Stopping {
		return
	}
	if s.relieving.Swap(true) {
		return
	}
	s.group.Go(func() error {
		defer s.relieving.Store(false)
		s.giveAway(ctx, "the keeper of "+s.cfg.Name+" stops")
		return nil
	})
}

// pull brings another director's connections into this director's kernel.
func (s *session) pull(ctx context.Context, from string) error {
	if len(s.node.State().Config.Services) == 0 {
		return nil
	}
	var conns []ipvs.Conn
	if err := s.ask(ctx, from, http.MethodGet, "/peer/connections", nil, &conns); err != nil {
		return err
	}
	return s.director.Inject(ctx, conns)
}

func (s *session) serveConnections(w http.ResponseWriter, r *http.Request) {
	conns, err := s.director.Connections(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, conns)
}

// serveYield answers the next owner: from now on a claim of the group is not resisted.
func (s *session) serveYield(w http.ResponseWriter, r *http.Request) {
	var q yieldRequest
	if !read(w, r, smallBody, &q) {
		return
	}
	if err := s.mayYield(r.Context(), q); err != nil {
		refuse(w, err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *session) mayYield(ctx context.Context, q yieldRequest) error {
	peer, _ := cluster.Peer(ctx)
	if g := s.node.State().Groups[q.Group]; g.Epoch >= q.Epoch {
		return fmt.Errorf("%s is in epoch %d already", q.Group, g.Epoch)
	}
	if mutant.On(mutant.BreakFirst) {
		s.keeper.Resign(ctx, q.Group)
		return errors.New("gave up before anybody took over")
	}
	ok, err := s.keeper.Yield(ctx, q.Group, yieldWait)
	switch {
	case err != nil:
		return fmt.Errorf("keeper: %w", err)
	case !ok:
		return fmt.Errorf("does not own %s", q.Group)
	}
	s.events.add(s.cfg.Name, 0, "yield", q.Group, fmt.Sprintf("%s yields %s to %s", s.cfg.Name, q.Group, peer))
	return nil
}

// warmUp receives the connections of those who own groups that this director has nothing of yet, so that it
// could take over with what there is. What comes later the kernel's sync daemons bring. One owner is asked
// at a time, once for all its groups.
func (s *session) warmUp(ctx context.Context) {
	if s.warming.Load() {
		return
	}
	state := s.node.State()
	cold := map[string][]string{} // owner: groups
	for name, g := range state.Groups {
		if !s.isWarm(state, name) {
			cold[g.Owner] = append(cold[g.Owner], name)
		}
	}
	for owner, groups := range cold {
		s.warming.Store(true)
		s.group.Go(func() error {
			defer s.warming.Store(false)
			ctx, cancel := context.WithTimeout(ctx, moveLimit)
			defer cancel()
			if err := s.pull(ctx, owner); err != nil {
				s.log.Debug("connections not received", "from", owner, "err", err)
				return nil
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, name := range groups {
				s.warm[name] = true
			}
			return nil
		})
		return
	}
}

// isWarm reports whether there is nothing of the group's connections that this director lacks:
// they were received, or nobody else has them.
func (s *session) isWarm(state *fsm.State, group string) bool {
	g := state.Groups[group]
	if g.Owner == "" || g.Owner == s.cfg.Name || s.cfg.Role == fsm.RoleWitness || len(state.Config.Services) == 0 {
		return true
	}
	if r, alive := s.reports.live(time.Now())[g.Owner]; !alive || !r.active(group) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.warm[group]
}
