package agent

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/agent/groups"
	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/checks"
	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/director"
	"github.com/quorate/quorate/director/hook"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/track"
	"github.com/quorate/quorate/fsm"
)

// session is an agent's life in one cluster: from init, join or start to leave or stop.
type session struct {
	cfg      config.Agent
	version  string
	log      hclog.Logger
	node     *cluster.Node
	keeper   *keeperlink.Link
	director *director.Director
	groups   *groups.Driver
	kernel   *ipvs.Host
	runner   *checks.Runner
	tracks   *track.Runner
	hooks    *hook.Runner
	events   *eventLog

	reports            reports
	unjudged           unjudged
	disputes           disputes
	alive              alive
	tellings           tellings
	placed             placed
	presence           presence
	offClocks          offClocks
	regrouped          regrouped
	refusals           refusals
	lacking            lacking
	outlooks           outlooks
	raising            raising
	heard              bell          // rings when a report came
	tellNow            chan struct{} // capacity 1: tell the others at once
	soon               later         // pokes it
	warming, relieving atomic.Bool
	marks              marks
	edits              turns
	given              given

	opened   time.Time
	skipped  atomic.Bool // something was applied that is no news
	pastTold bool        // belongs to follow

	aside   sync.WaitGroup // what runs beside the group
	hashing sync.Mutex     // guards hashed
	hashed  hashed
	votes   votes

	mu         sync.Mutex
	ended      bool // the group has: nothing more is begun
	leaving    bool
	stopped    bool                    // the agent ends
	results    map[string]track.Result // of the tracks, as they were told of last
	unfit      map[string]time.Time    // group: since when a requirement forbids to own it
	quorumSeen time.Time               // when this director was in the quorum last
	warm       map[string]bool         // group: its owner's connections were received whole, once

	group   *errgroup.Group
	cancel  context.CancelFunc
	closing atomic.Bool
	done    chan struct{}
	err     error // of the whole session; read after done
}

// open starts a session on the data directory. It runs until ctx ends or close is called.
func (a *Agent) open(ctx context.Context) (*session, error) {
	s := &session{
		cfg: a.cfg.File, version: a.cfg.Version, log: a.cfg.Log, keeper: a.keeper, events: &a.events,
		opened: time.Now(), tellNow: make(chan struct{}, 1), warm: map[string]bool{},
		unfit: map[string]time.Time{}, done: make(chan struct{}),
	}
	s.reports.seen = s.unjudged.add
	s.newNeeds()
	s.newAlive()
	cc := a.clusterConfig()
	cc.Handler = s.peerHandler()
	cc.API = api.Handler(a, a.caller)
	cc.OnChange = s.onChange
	cc.Duties = []func(context.Context, *cluster.Node){
		s.agree,
		s.placeGroups,
		s.duty(trialEvery, s.endTrial),
		s.duty(reportEvery, s.abdicate),
		s.duty(raiseEvery, s.raiseLevel),
	}
	s.runner = checks.New(checks.Config{
		Observer: s.cfg.Name,
		Report:   s.observed,
		Spread:   s.place,
		Serves:   func(key fsm.ServerKey) bool { return s.node.State().Verdict(key).Health == fsm.Up },
		Log:      s.log.Named("checks"),
	})
	node, err := cluster.Open(cc)
	if err != nil {
		return nil, err
	}
	s.node, s.unjudged.leads = node, node.IsLeader
	s.groups = s.newGroups()
	if s.director, err = a.newDirector(s); err != nil {
		return nil, errors.Join(err, node.Close())
	}
	ctx, s.cancel = context.WithCancel(ctx)
	s.group, ctx = errgroup.WithContext(ctx)
	s.start(ctx)
	return s, nil
}

// start runs everything that a session consists of.
func (s *session) start(ctx context.Context) {
	s.runner.Set(s.node.State().Config.Services)
	s.setNeeds(s.node.State().Config)
	for _, run := range []func(context.Context) error{
		s.node.Run, s.groups.Run, s.runner.Run, s.tracks.Run, s.hooks.Run, s.director.Run, s.tellOthers, s.follow, s.announceSelf, s.mutate, s.fence, s.yield, s.heal, s.cover,
		s.alive.pulse.Run, s.alive.watcher.Run,
	} {
		s.group.Go(func() error { return run(ctx) })
	}
	go func() {
		s.err = s.group.Wait()
		s.mu.Lock()
		s.ended = true
		s.mu.Unlock()
		s.aside.Wait()
		close(s.done)
	}()
}

// besides runs f beside the session, which waits for it at its end. A request may come while it ends: f is
// not run then.
func (s *session) besides(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.aside.Go(f)
	}
}

// close ends the session and waits for it. What it did to the kernel stays.
func (s *session) close() error {
	s.closing.Store(true)
	s.cancel()
	<-s.done
	return errors.Join(s.err, s.node.Close(), s.kernel.Close())
}

// follow does what the state's intents ask of this director, and keeps up with the keeper.
func (s *session) follow(ctx context.Context) error {
	tick := s.ticker(reportEvery)
	defer tick.Stop()
	heard, stop := s.heard.listen()
	defer stop()
	for {
		s.tellTransitions(s.keeper.Status().Transitions)
		s.tellPresence(time.Now())
		s.tellPast()
		s.groups.Poke()
		s.warmUp(ctx)
		s.relieve(ctx)
		s.followHooks()
		s.dispute(ctx)
		s.watchSegments()
		if mutant.On(mutant.PoisonEnds) && s.node.Halted() != nil {
			return s.node.Halted()
		}
		s.director.Poke()
		select {
		case <-ctx.Done():
			return nil
		case <-heard:
		case <-s.keeper.Changed():
			poke(s.tellNow)
		case <-tick.C:
			s.tellClocks() // which nothing else rings for
		}
	}
}

// tellTransitions makes events of the keeper's transitions that came after the last one that was told, in whatever
// session that was. A new keeper counts from 1 again; its transitions are told by being later.
func (s *session) tellTransitions(all []keeper.Transition) {
	for _, t := range all {
		if seen := s.events.transition; t.Seq <= seen.Seq && !t.At.After(seen.At) {
			continue
		}
		s.events.transition = t
		text := t.Group + " on " + s.cfg.Name + " is " + t.To + ", was " + t.From + ": " + t.Reason
		if t.To == t.From {
			text = t.Group + " on " + s.cfg.Name + ": " + t.Reason
		}
		s.events.put(api.Event{Time: t.At.UTC(), Director: s.cfg.Name, Kind: "vrrp", Name: t.Group, Text: text})
	}
}

// announceSelf tells the cluster of this member's version and addresses, if they are news, and looks what the
// others support.
func (s *session) announceSelf(ctx context.Context) error {
	tick := s.ticker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s.lookLevels(time.Now())
		m, ok := s.node.State().Members[s.cfg.Name]
		if !ok || !s.node.Current() || !s.node.Quorum() || s.node.Halted() != nil {
			continue
		}
		next := s.self(m)
		if m.Address != next.Address || m.Gossip != next.Gossip {
			continue // the node tells where it is, and that comes first
		}
		if !sameMember(m, next) {
			if err := s.node.Propose(ctx, fsm.SetMember{Member: next}); err != nil && ctx.Err() == nil {
				s.log.Warn("own addresses not announced", "err", err)
			}
		}
	}
}

// report says how this director is.
func (s *session) report() report {
	state := s.node.State()
	r := report{
		Name: s.cfg.Name, Version: s.version, MinLevel: MinLevel, MaxLevel: MaxLevel, RaiseLevel: s.cfg.RaiseLevel, Index: state.Index,
		NoIPVS: !s.director.CanHaveIPVS(), NoRefusal: s.refusals.why(time.Now()), Groups: map[string]groupReport{}, Claimants: true, Observations: s.observations(),
	}
	r.HashIndex, r.Hash = s.hash(state)
	r.Links, r.Names = interfaces(), s.cfg.Interfaces
	_, r.Troubles = s.director.Problems()
	for _, why := range []string{s.node.Disk(), s.node.Space(), s.node.Healed(), s.node.Strangers(), s.node.Twin(), s.node.Astray()} {
		if why != "" {
			r.Troubles = append(r.Troubles, why)
		}
	}
	r.Refused, r.Lacks = s.node.Refused(), s.lacking.of()
	if err := s.node.Halted(); err != nil {
		r.Halted = err.Error()
	}
	r.Reasons = s.unready(state)
	r.Ready = len(r.Reasons) == 0
	cannot := s.node.Unwritable()
	r.Holds, r.NoWrite = holds(r.Reasons, cannot), cmp.Or(cannot, s.node.Space())
	r.Certificate = s.node.Certificate()
	r.Joining = !s.node.Voter() && s.node.Removed() == nil
	r.Leaving, r.Stopped = s.isLeaving(), s.isStopped()
	for _, g := range s.keeper.Status().Groups {
		own := describeGroup(g)
		own.Hears = hears(state, g)
		own.Claimant = claimant(g, own.Hears, s.groups.Taker(g.Name))
		r.Groups[g.Name] = own
	}
	r = r.keeping(s.kept())
	for _, g := range state.Config.Groups() {
		st, own := s.standing(g), r.Groups[g.Name]
		own.Deaf, own.Claim, own.Unproven = s.groups.Deaf(g.Name), s.groups.Claimed(g.Name), s.groups.Unproven(g.Name)
		own.Again = s.groups.Again(g.Name, state.Groups[g.Name])
		own.found, own.Doubled, own.Apart = s.groups.Found(g.Name), s.groups.Doubled(g.Name), s.groups.Apart(g.Name)
		own.Score, own.Waiting = st.Score, !st.Known
		if st.Known && !st.Fit {
			own.Unfit = strings.Join(st.Reasons, "; ")
		}
		r.Groups[g.Name] = own
	}
	return r
}

// quorum reports whether this director is in the quorum, or was a moment ago: an election of a new
// leader is no loss.
func (s *session) quorum() bool {
	has, now := s.node.Quorum(), time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if has {
		s.quorumSeen = now
	}
	return now.Sub(s.quorumSeen) < max(4*s.cfg.Heartbeat, quorumGrace)
}

// place is this director's place among the observers, so that they probe a target in turn.
func (s *session) place() (index, count int) {
	names := slices.Sorted(maps.Keys(s.node.State().Members))
	return max(slices.Index(names, s.cfg.Name), 0), max(len(names), 1)
}

// unready says why this director is not fit to gain ownership. One whose disk takes nothing is not told by the log to take a group,
// nor whose it is then; what it owns it serves all the same, so that nothing is moved from it for that.
func (s *session) unready(state *fsm.State) []string {
	now := time.Now()
	live := s.reports.live(now)
	var why []string
	if !s.node.Current() {
		why = append(why, "has not caught up with the log")
	}
	if cut := s.unreached(now); cut != "" {
		why = append(why, cut)
	}
	if cannot := s.node.Unwritable(); cannot != "" {
		why = append(why, cannot)
	}
	if err := s.node.Halted(); err != nil {
		why = append(why, err.Error())
	}
	if err := s.node.Removed(); err != nil {
		why = append(why, cluster.ErrRemoved.Error())
	}
	if s.isStopped() {
		why = append(why, wasStopped)
	}
	if err := s.node.Sound(); err != nil {
		why = append(why, err.Error())
	}
	if _, others := s.differs(state, live); len(others) > 0 {
		why = append(why, stateDiffers)
	}
	serious, _ := s.director.Problems()
	why = append(why, keeperTroubles(s.keeper.Attached(), s.keeper.Status().Stopping, serious)...)
	for _, g := range state.Config.Groups() {
		if !s.isWarm(state, live, g.Name) {
			why = append(why, "the connections of "+g.Name+" were not received yet")
		}
	}
	return why
}

// holds reports whether a director is not ready for nothing but its disk, if that cannot be written to: it keeps what it owns.
func holds(reasons []string, cannot string) bool {
	return cannot != "" && slices.Equal(reasons, []string{cannot})
}

// keeperTroubles puts what is wrong with the keeper before what the director could not do. That it could not reach a keeper which
// does not answer is no second reason.
func keeperTroubles(attached, stopping bool, serious []string) []string {
	switch {
	case !attached:
		mute := keeperlink.ErrNoKeeper.Error()
		return append([]string{mute}, slices.DeleteFunc(serious, func(why string) bool { return why == "keeper: "+mute })...)
	case stopping:
		return append([]string{"the keeper is stopping"}, serious...)
	}
	return serious
}

// peerHandler serves the agents' own calls on the cluster port.
func (s *session) peerHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /peer/report", s.serveReport)
	mux.HandleFunc("POST /peer/pulse", s.servePulse)
	mux.HandleFunc("POST /peer/confirm", s.serveConfirm)
	mux.HandleFunc("POST "+planPath, s.servePlan)
	mux.HandleFunc("POST "+wholePlanPath, s.serveWholePlan)
	mux.HandleFunc("POST "+groups.Path+"{group}", s.serveGroup)
	mux.HandleFunc("POST "+groups.PathAttest, s.serveAttest)
	mux.HandleFunc("POST /peer/move", s.serveMove)
	mux.HandleFunc("GET /peer/explain/{group}", s.serveExplain)
	mux.HandleFunc("GET /peer/raise", s.serveRaise)
	mux.HandleFunc("GET /peer/connections", s.serveConnections)
	return mux
}

// describeGroup puts what the keeper says of a group into a report.
func describeGroup(g keeper.GroupStatus) groupReport {
	r := groupReport{State: g.State, Epoch: g.Epoch, Priority: g.Priority, Since: g.Since, Reason: g.Reason}
	for _, router := range g.Routers {
		if router.Heard != nil && !router.Silent && g.State == "backup" {
			r.Heard, r.Member = router.Heard.Source.String(), router.Heard.Member
		}
	}
	return r
}
