package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/fsm"
)

// Limits of patience with the rest of the cluster.
const (
	beginLimit    = 4 * time.Second // for a move to begin where somebody leads
	electionLimit = 8 * time.Second // for somebody to lead
	latelyLimit   = GiveAwayLimit   // for who is silent or not ready to be as before: what lasts for longer is no matter of a moment
	letGoLimit    = 3 * time.Second // for another to take what was given up on the wire
	receiptLimit  = 5 * time.Second // for the newest connections
	toldLimit     = time.Second     // for them where the log has been told already: who took over asks at once, if it can
	readyLimit    = 60 * time.Second
	drainLimit    = 30 * time.Second
	drainQuiet    = time.Second // before a drain says what it waits for
	callLimit     = 10 * time.Second
	reachedLimit  = 20 * time.Second // for the others to connect to a director that has joined
)

// GiveAwayLimit is for how long an agent that is to stop, or whose keeper is, waits for moves: for a leader first, if there is
// none, and then for all of a move.
const GiveAwayLimit = 15 * time.Second

// StopLimit is for how long an agent that is to stop, or whose keeper is, hands over at most: what has moved has its newest connections fetched,
// what has not is given up on the wire.
const StopLimit = GiveAwayLimit + max(receiptLimit, letGoLimit)

var _ api.Agent = (*Agent)(nil)

// Init implements [api.Agent]: it makes a cluster with this agent as its only member. Run again by the
// same agent it has nothing to do. Who was removed is told so, for it has to leave first.
func (a *Agent) Init(ctx context.Context, p api.Progress) error {
	a.change.Lock()
	defer a.change.Unlock()
	if s, err := a.current(); err == nil {
		if err := s.node.Removed(); err != nil {
			return err
		}
		if !s.node.Founder() {
			return s.inside()
		}
		p("this agent has made cluster " + s.node.State().ClusterID + " already: nothing to do")
		return a.waitReady(ctx, p)
	}
	if err := cluster.Init(ctx, a.clusterConfig()); err != nil {
		return err
	}
	p("cluster made: its authority, this director's certificate, the first log entry")
	if err := a.start(); err != nil {
		return err
	}
	return a.waitReady(ctx, p)
}

// Join implements [api.Agent]. A join that was cut off goes on where it stopped, and one that has
// succeeded has nothing to do. Who was removed is told so, for it has to leave first.
func (a *Agent) Join(ctx context.Context, r api.JoinRequest, p api.Progress) error {
	a.change.Lock()
	defer a.change.Unlock()
	if s, err := a.current(); err == nil {
		if err := s.node.Removed(); err != nil {
			return err
		}
		if cluster.Joined(a.cfg.File.DataDir, r.Token) != nil {
			return s.inside()
		}
		p("this agent is a member of that cluster already")
		return a.waitReady(ctx, p)
	}
	if err := cluster.Join(ctx, a.clusterConfig(), r.Address, r.Token, p); err != nil {
		return err
	}
	if err := a.start(); err != nil {
		return err
	}
	return a.waitReady(ctx, p)
}

// inside says that this agent is in a cluster, to who wanted it in another.
func (s *session) inside() error {
	id := s.node.State().ClusterID
	if id == "" { // it is as good as in it
		return errors.New("this agent is joining a cluster: `quorate status` shows how far it is, `quorate leave` ends it")
	}
	return fmt.Errorf("this agent is a member of cluster %s already: `quorate status` shows it, `quorate leave` ends it", id)
}

// waitReady waits until this director is fit to own addresses, and says what it waits for.
func (a *Agent) waitReady(ctx context.Context, p api.Progress) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	said := ""
	for {
		s, err := a.current()
		if err != nil {
			return err
		}
		if err := s.node.Removed(); err != nil { // which nothing but a person ends
			return err
		}
		why := s.unready(s.node.State())
		if !s.node.Voter() {
			why = append(why, "is not a voter yet")
		}
		if len(why) == 0 {
			s.tellAll(ctx) // so that `quorate members` says the same on all of them
			p(s.cfg.Name + " is ready")
			return nil
		}
		if text := strings.Join(why, "; "); text != said {
			said = text
			p("waiting: " + text)
		}
		if now := time.Now(); s.unreached(now) != "" && now.Sub(s.opened) > reachedLimit {
			return fmt.Errorf("%s is a member, but %s; it is ready by itself once they do: `quorate status` shows it", s.cfg.Name, s.unreached(now))
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%s is a member, but not ready after %v: %s", s.cfg.Name, readyLimit, said)
		}
	}
}

// unreached says of a director that has joined and has nothing of the log yet that the others do not come to it, or is
// empty.
func (s *session) unreached(now time.Time) string {
	if s.node.Reached() || s.node.State().ClusterID != "" || s.node.Removed() != nil || now.Sub(s.opened) < time.Second {
		return ""
	}
	return fmt.Sprintf("no other director has connected to it on %s/tcp: a firewall on the way drops that, or the `bind` of its agent file is no address that they reach", s.cfg.Bind)
}

// Leave implements [api.Agent]: hand over, leave the cluster, then remove what quorate made here. In no cluster there is
// nothing to leave, which is no error: an agent that was restarted does not know that it has left one. One that is about to be
// in a cluster says so.
func (a *Agent) Leave(ctx context.Context, r api.LeaveRequest, p api.Progress) error {
	a.change.Lock()
	defer a.change.Unlock()
	s, err := a.current()
	if errors.As(err, new(unjoined)) {
		return fmt.Errorf("%w: take `join` out of that, and restart the agent", err)
	}
	if errors.Is(err, errNoCluster) { // a leave before this one may have been cut off in its last steps
		kept := a.keeper.Set(ctx, keeper.Order{})
		if errors.Is(kept, keeperlink.ErrNoKeeper) { // mostly there is nothing to give up, and it is told when it is there
			p("no keeper answers: if one has left virtual addresses here, they end with their lifetime, or when it is there")
			kept = nil
		}
		if err := errors.Join(kept, a.clearKernel(ctx)); err != nil {
			return err
		}
		p("this agent is in no cluster: nothing to leave")
		return nil
	}
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // half a leave helps nobody: it goes on when who asked is gone
	removed := s.node.Removed() != nil
	r.Force = r.Force || removed // the others have ended it: nothing is at stake
	if err := s.node.MayLeave(ctx, r.Force); err != nil {
		return atRisk(err)
	}
	s.setLeaving(true)
	if len(s.node.State().Members) > 1 && !removed && s.cfg.Role != fsm.RoleWitness { // which has nothing to hand over
		if err := s.leaveAddresses(ctx, r.Force, p); err != nil {
			s.setLeaving(false)
			return err
		}
	}
	if err := s.node.Leave(ctx, r.Force, p); err != nil {
		s.setLeaving(false)
		return err
	}
	p("membership ended")
	s.stopHooks(s.cfg.Name + " leaves")
	a.mu.Lock()
	a.session = nil
	a.mu.Unlock()
	_ = s.close() // the node has ended already: nothing new can be said by its errors
	if err := errors.Join(a.keeper.Clear(ctx), a.clearKernel(ctx)); err != nil {
		return err
	}
	p("removed from this host: virtual addresses, IPVS services and sync daemons that quorate made")
	return nil
}

// leaveAddresses hands over what this director owns, before it leaves. Who could take them may be about to
// be ready: it joined a moment ago.
func (s *session) leaveAddresses(ctx context.Context, force bool, p api.Progress) error {
	last := ""
	patient := func(left []unmoved) {
		if text := said(left); text != last {
			last = text
			p("waiting: nobody can take over " + text + " yet")
		}
	}
	if force {
		patient = nil
	}
	left := s.giver().giveAway(ctx, s.cfg.Name+" leaves", patient)
	switch {
	case len(left) == 0:
		p("addresses are with other directors")
	case !force:
		return fmt.Errorf("nobody else could take over %s, so nothing was left; --force leaves all the same", said(left))
	default:
		p("nobody else could take over " + said(left))
	}
	return nil
}

// Remove implements [api.Agent]: it ends another director's membership.
func (a *Agent) Remove(ctx context.Context, name string, force bool) (api.Ended, error) {
	s, err := a.current()
	if err != nil {
		return api.Ended{}, err
	}
	return ended(unknownMember(atRisk(s.remove(ctx, name, force))))
}

// ended takes it for success that something had been ended before.
func ended(err error) (api.Ended, error) {
	if errors.Is(err, fsm.ErrAlready) {
		return api.Ended{Before: err.Error()}, nil
	}
	return api.Ended{}, err
}

func (s *session) remove(ctx context.Context, name string, force bool) error {
	if name == s.cfg.Name {
		return errors.New("this is that director: use `quorate leave` here")
	}
	// Without a quorum the last reports are no news, and nothing can be removed whoever is alive.
	if r, alive := s.reports.live(time.Now())[name]; alive && !r.Stopped && !force && s.node.Quorum() && !s.portClosed(ctx, name) {
		err := s.node.MayRemove(ctx, name)
		if isNoMember(err) { // this director may be behind, and it may be one again: who leads would end that, and asks nobody whether it is alive
			if _, err := s.latest(ctx); err != nil {
				return fmt.Errorf("%s is alive, and not known here as a member: %w", name, err)
			}
			err = s.node.MayRemove(ctx, name)
		}
		if isNoMember(err) {
			return s.node.Remove(ctx, name, force) // who leads knows whether all is done
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%s is alive: `quorate leave` there hands over first, and takes what quorate made with it; --force removes it all the same", name)
	}
	return s.node.Remove(ctx, name, force)
}

// isNoMember reports whether it is said of a name that no member has it.
func isNoMember(err error) bool {
	return errors.Is(err, fsm.ErrNotFound) || errors.Is(err, fsm.ErrAlready)
}

// closedLimit is how long a member may take to answer before it counts as alive by what it reported last.
const closedLimit = time.Second

// portClosed reports whether nothing listens on the cluster port of a member any more, though it reported a moment ago.
func (s *session) portClosed(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, closedLimit)
	defer cancel()
	return errors.Is(s.node.Reach(ctx, name), unix.ECONNREFUSED)
}

// atRisk adds to a refusal how it is overruled.
func atRisk(err error) error {
	if errors.Is(err, cluster.ErrQuorumAtRisk) {
		return fmt.Errorf("%w (--force)", err)
	}
	return err
}

// unknownMember adds to a refusal where the names of members are found.
func unknownMember(err error) error {
	if errors.Is(err, fsm.ErrNotFound) {
		return fmt.Errorf("%w: `quorate members` lists all members", err)
	}
	return err
}

// Drain implements [api.Agent]. It returns when the director owns nothing.
func (a *Agent) Drain(ctx context.Context, r api.DrainRequest, p api.Progress) error {
	s, err := a.current()
	if err != nil {
		return err
	}
	if err := noDrain(s.node.State().Members[r.Director], r); err != nil {
		return err
	}
	if err := s.propose(ctx, fsm.SetDraining{Name: r.Director, Draining: r.Draining}); err != nil {
		return unknownMember(err)
	}
	if !r.Draining {
		p(enabled(s.node.State().Members[r.Director], s.node.State().Config))
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	last, began := "", time.Now()
	for {
		owned := s.ownedBy(r.Director)
		if len(owned) == 0 {
			p(r.Director + " owns nothing")
			return nil
		}
		if time.Since(began) >= drainQuiet {
			if text := s.draining(r.Director, owned); text != last {
				last = text
				p("waiting: " + text)
			}
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%s drains, but still owns %s: nobody else is ready to take over, see `quorate status`; it goes on draining until `quorate enable director %s`", r.Director, strings.Join(owned, ", "), r.Director)
		}
	}
}

// noDrain is why a witness neither drains nor ends that, unless it drained as a director before.
func noDrain(m fsm.Member, r api.DrainRequest) error {
	switch {
	case m.Role != fsm.RoleWitness:
		return nil
	case r.Draining:
		return fmt.Errorf("%s is a witness, which owns nothing: there is nothing to drain", r.Director)
	case !m.Draining:
		return fmt.Errorf("%s is a witness, which owns nothing: it does not drain", r.Director)
	}
	return nil
}

// enabled says what comes of the end of a drain.
func enabled(m fsm.Member, cfg fsm.Config) string {
	director := m.Name
	if m.Role == fsm.RoleWitness {
		return director + " drains no more; it is a witness, which owns nothing"
	}
	var placed []string
	for _, g := range cfg.Groups() {
		if p := g.Placement.Policy; p != "" && p != fsm.Sticky {
			placed = append(placed, g.Name)
		}
	}
	text := director + " may own addresses again; "
	if len(placed) == 0 {
		return text + "nothing moves to it unless another drains"
	}
	return text + "what has a placement that wishes it there moves by itself, once it has waited for `hold`: see `quorate explain group` of " + strings.Join(placed, ", ")
}

// draining says what a director that drains still owns, and why nobody takes it.
func (s *session) draining(director string, owned []string) string {
	return director + " still owns " + said(remaining(s.node.State(), s.reports.live(time.Now()), owned, director, s.lately))
}

// Events implements [api.Agent].
func (a *Agent) Events(ctx context.Context, after uint64, wait bool) ([]api.Event, error) {
	return a.events.since(ctx, after, wait), nil
}

// propose is Propose with a limit of patience.
func (s *session) propose(ctx context.Context, c fsm.Command) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := s.node.Propose(ctx, c)
	if errors.Is(err, fsm.ErrStale) && s.node.Unwritable() != "" { // it does not see what was faster, and never will
		if _, behind := s.latest(ctx); behind != nil {
			return behind
		}
	}
	return err
}

func (s *session) setLeaving(v bool) {
	s.mu.Lock()
	s.leaving = v
	s.mu.Unlock()
	poke(s.tellNow)
}

func (s *session) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

func (s *session) isLeaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving
}

// ownedBy returns the groups that a director owns, by what it says, and where it says nothing by what is
// heard of it.
func (s *session) ownedBy(name string) []string {
	owned, known := s.keeper.Owned()
	if name == s.cfg.Name && known {
		return owned
	}
	owned = nil
	state, live := s.node.State(), s.everyReport(time.Now())
	for _, g := range state.Config.Groups() {
		if live[name].active(g.Name) || groupStatus(state, live, g, s.cfg.Name).Owner == name {
			owned = append(owned, g.Name)
		}
	}
	return owned
}

// self is this member as it should be in the log. Addresses that cannot be listed just now stay as they
// were: without them the others would take this host's adverts for a stranger's.
func (s *session) self(m fsm.Member) fsm.Member {
	virtual := map[netip.Addr]bool{}
	for _, r := range s.node.State().Config.Routers {
		for _, p := range slices.Concat(r.Addresses, r.Excluded) {
			virtual[p.Addr()] = true
		}
	}
	if own, err := hostAddresses(virtual); err == nil {
		m.Sources = own
	}
	m.Version, m.MinLevel, m.MaxLevel = s.version, MinLevel, MaxLevel
	m.Address, m.Gossip = s.cfg.Bind, s.cfg.Gossip
	return m
}

func sameMember(a, b fsm.Member) bool {
	return slices.Equal(a.Sources, b.Sources) && a.Version == b.Version && a.Address == b.Address &&
		a.Gossip == b.Gossip && a.MinLevel == b.MinLevel && a.MaxLevel == b.MaxLevel
}
