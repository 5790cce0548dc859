package agent

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/director/probe"
	"github.com/quorate/quorate/fsm"
)

const (
	// guardLimit is how long members and the segment may take for an answer at most. A timer that is
	// faster than the answers is not waited for: then the standard has its way.
	guardLimit = 300 * time.Millisecond
	// releaseWait is how long an owner that is cut off may take to let go, before it is claimed from.
	releaseWait = 100 * time.Millisecond
)

// attestation is what a director says of a group when it is asked.
type attestation struct {
	Owns  bool              `json:"owns"`            // its routers are Active, and have carrier
	Hears map[string]string `json:"hears,omitempty"` // router: the member that it hears own it now
}

// guarded is a group that is Backup here and hears nobody on some of its segments.
type guarded struct {
	group    keeper.GroupStatus
	silent   []keeper.RouterStatus
	interval time.Duration
}

// guard looks after the groups whose owner is not heard here, from the second silent interval on.
func (s *session) guard(ctx context.Context) {
	if mutant.On(mutant.NoGuard) {
		return
	}
	state := s.node.State()
	for _, g := range state.Config.Groups() {
		q, ok := quietGroup(g, s.keeper.Status())
		if !ok {
			if s.setGuarding(g.Name, nil) {
				s.letGo(ctx, g.Name)
			}
			continue
		}
		if _, busy := s.guards.LoadOrStore(g.Name, true); busy {
			continue
		}
		s.group.Go(func() error {
			defer s.guards.Delete(g.Name)
			s.watchQuiet(ctx, g, q)
			return nil
		})
	}
}

// quietGroup returns what is silent of a group, if anything is.
func quietGroup(g fsm.Group, st keeper.Status) (guarded, bool) {
	own, ok := st.Group(g.Name)
	if !ok || own.State != "backup" {
		return guarded{}, false
	}
	q := guarded{group: own, interval: time.Hour}
	for i, r := range own.Routers {
		if r.Silent && i < len(g.Routers) {
			q.silent = append(q.silent, r)
			q.interval = min(q.interval, g.Routers[i].Interval)
		}
	}
	return q, len(q.silent) > 0
}

// watchQuiet asks again and again, until the group is not silent any more or is Active.
func (s *session) watchQuiet(ctx context.Context, g fsm.Group, q guarded) {
	suspect := "" // the owner that was found cut off the last time
	for ctx.Err() == nil {
		begin, pause := time.Now(), q.interval
		choice := s.look(ctx, g, q)
		switch {
		case choice.Choice != ownership.Relieve:
			suspect = ""
		case choice.Owner != suspect: // in a move, the segment may have answered before it and the member after it
			suspect, pause = choice.Owner, 0
			choice.Choice = ownership.Hold
		}
		fresh := s.setGuarding(g.Name, &choice)
		switch choice.Choice {
		case ownership.Hold, ownership.CutOff:
			s.tellGuard(fresh, g.Name, choice)
			if err := s.keeper.Hold(ctx, g.Name, 2*q.interval+2*guardLimit); err != nil {
				return
			}
		case ownership.Relieve:
			s.tellGuard(fresh, g.Name, choice)
			s.relieveCutOff(ctx, g, choice)
		case ownership.Take:
			s.letGo(ctx, g.Name)
		}
		if !sleep(ctx, max(pause-time.Since(begin), guardLimit/3)) {
			return
		}
		var ok bool
		if q, ok = quietGroup(g, s.keeper.Status()); !ok {
			return
		}
	}
}

// tellGuard tells of a choice when it is another than before.
func (s *session) tellGuard(fresh bool, group string, g ownership.Guarding) {
	if fresh {
		s.events.add(s.cfg.Name, 0, "guard", group, fmt.Sprintf("%s on %s: %s", group, s.cfg.Name, g.Reason))
		s.log.Warn("the owner is not heard", "group", group, "reason", g.Reason)
		poke(s.tellNow)
	}
}

// setGuarding notes what the guard decided, and reports whether that is another choice than before.
func (s *session) setGuarding(group string, g *ownership.Guarding) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, had := s.guarding[group]
	if g == nil {
		delete(s.guarding, group)
		return had
	}
	s.guarding[group] = *g
	return !had || was.Choice != g.Choice
}

// deafness says why the owner of a group is not heard here, or is empty.
func (s *session) deafness(group string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, ok := s.guarding[group]; ok && g.Choice != ownership.Take {
		return g.Reason
	}
	return ""
}

// letGo ends a hold.
func (s *session) letGo(ctx context.Context, group string) {
	if err := s.keeper.Hold(ctx, group, 0); err != nil {
		s.log.Debug("hold not ended", "group", group, "err", err)
	}
}

// look asks all members and the segments of the silent routers, all at once, and decides.
func (s *session) look(ctx context.Context, g fsm.Group, q guarded) ownership.Guarding {
	ctx, cancel := context.WithTimeout(ctx, min(guardLimit, max(q.interval/2, 20*time.Millisecond)))
	defer cancel()
	var asking sync.WaitGroup
	said := s.askAttestations(ctx, g.Name, &asking)
	found := make([]segment, len(q.silent))
	for i, r := range q.silent {
		asking.Go(func() { found[i] = s.askSegment(ctx, g, r) })
	}
	asking.Wait()
	var all []ownership.Guarding
	for i, r := range q.silent {
		all = append(all, ownership.Guard(s.words(g, r, said, found[i].macs), found[i].gateway))
	}
	return ownership.Worst(all)
}

// askAttestations asks every other member what it says of a group. The map is whole when asking is done.
func (s *session) askAttestations(ctx context.Context, group string, asking *sync.WaitGroup) map[string]attestation {
	said := map[string]attestation{}
	var mu sync.Mutex
	for name := range s.node.State().Members {
		if name == s.cfg.Name {
			continue
		}
		asking.Go(func() {
			var a attestation
			if err := s.ask(ctx, name, http.MethodGet, "/peer/attest/"+group, nil, &a); err != nil {
				return // who does not answer says nothing
			}
			mu.Lock()
			defer mu.Unlock()
			said[name] = a
		})
	}
	return said
}

// segment is what answers on the segment of a router.
type segment struct {
	macs    map[netip.Addr]net.HardwareAddr
	gateway bool // the default route's next hop answers
}

// askSegment asks the segment of a router for its address, for the members' own, and for the gateway.
func (s *session) askSegment(ctx context.Context, g fsm.Group, r keeper.RouterStatus) segment {
	if !r.Source.IsValid() {
		return segment{}
	}
	targets := []netip.Addr{virtualOf(g, r.Name)}
	for _, m := range s.node.State().Members {
		if m.Name != s.cfg.Name {
			targets = append(targets, onLink(r, m.Sources)...)
		}
	}
	gw, ok := gatewayOn(r.Interface, r.Source)
	if ok {
		targets = append(targets, gw)
	}
	found, err := probe.Ask(ctx, r.Interface, r.Source, slices.Compact(slices.SortedFunc(slices.Values(targets), netip.Addr.Compare)))
	if err != nil {
		s.log.Debug("segment not asked", "router", r.Name, "err", err)
	}
	return segment{macs: found, gateway: ok && found[gw] != nil}
}

// words joins what members say and what the segment answers.
func (s *session) words(g fsm.Group, r keeper.RouterStatus, said map[string]attestation, found map[netip.Addr]net.HardwareAddr) []ownership.Word {
	var words []ownership.Word
	vip := found[virtualOf(g, r.Name)]
	for name, m := range s.node.State().Members {
		if name == s.cfg.Name {
			continue
		}
		a, answers := said[name]
		w := ownership.Word{Name: name, Answers: answers, Owns: a.Owns, Hears: a.Hears[r.Name]}
		for _, own := range onLink(r, m.Sources) {
			mac := found[own]
			w.Reached = w.Reached || mac != nil
			w.Serves = w.Serves || a.Owns && vip != nil && serves(mac, vip)
		}
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b ownership.Word) int { return cmp.Compare(a.Name, b.Name) })
	return words
}

// serves reports whether the group's address is answered by a member: by the MAC that its own has, or by a
// virtual MAC, which only an owner answers with.
func serves(own, vip net.HardwareAddr) bool {
	virtual := len(vip) == 6 && vip[0] == 0 && vip[1] == 0 && vip[2] == 0x5e && vip[3] == 0
	return own != nil && (virtual || slices.Equal(own, vip))
}

// virtualOf is the first address of a router.
func virtualOf(g fsm.Group, router string) netip.Addr {
	for _, r := range g.Routers {
		if r.Name == router && len(r.Addresses) > 0 {
			return r.Addresses[0].Addr()
		}
	}
	return netip.Addr{}
}

// onLink returns those addresses that are of the family of a router's source and in its subnet here.
func onLink(r keeper.RouterStatus, all []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range all {
		if slices.ContainsFunc(r.Subnets, func(p netip.Prefix) bool { return p.Contains(a) }) && a.Is6() == r.Source.Is6() {
			out = append(out, a)
		}
	}
	return out
}

// serveAttest says what this director's keeper knows of a group, as of now.
func (s *session) serveAttest(w http.ResponseWriter, r *http.Request) {
	state := s.node.State()
	var a attestation
	if g, ok := s.keeper.Status().Group(r.PathValue("group")); ok {
		a.Owns, a.Hears = g.State == "active", map[string]string{}
		for _, router := range g.Routers {
			if router.Heard != nil && !router.Silent {
				a.Hears[router.Name] = memberAt(state, router.Heard.Source.String())
			}
		}
	}
	answer(w, a)
}

// relieveCutOff has an owner that nobody on the segment reaches let go, and claims, if this director is its
// first successor.
func (s *session) relieveCutOff(ctx context.Context, g fsm.Group, choice ownership.Guarding) {
	state, live := s.node.State(), s.everyReport(time.Now())
	if successor(state, live, g.Name, choice.Owner) != s.cfg.Name {
		return
	}
	ask, cancel := context.WithTimeout(ctx, releaseWait)
	defer cancel()
	if err := s.ask(ask, choice.Owner, http.MethodPost, "/peer/release/"+g.Name, nil, nil); err != nil {
		s.log.Warn("the owner that is cut off does not let go, so it is claimed from", "group", g.Name, "owner", choice.Owner, "err", err)
	}
	if err := s.keeper.Claim(ctx, g.Name, ownership.ClaimPriority(ownership.OwnerPriority)); err != nil {
		s.log.Warn("group of an owner that is cut off not claimed", "group", g.Name, "err", err)
	}
}

// serveRelease lets a group go that this director owns and cannot serve on one of its segments. It looks for
// itself: who asks may be the one that is cut off.
func (s *session) serveRelease(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("group")
	for _, g := range s.node.State().Config.Groups() {
		if g.Name != name {
			continue
		}
		own, _ := s.keeper.Status().Group(name)
		if own.State == "active" && s.alone(r.Context(), g, own) {
			s.events.add(s.cfg.Name, 0, "guard", name, fmt.Sprintf("%s reaches nobody on a segment of %s, and lets it go", s.cfg.Name, name))
			s.keeper.Resign(r.Context(), name)
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	refuse(w, "does not own it, or reaches others on every segment")
}

// alone reports whether this director reaches nobody on some segment of a group.
func (s *session) alone(ctx context.Context, g fsm.Group, own keeper.GroupStatus) bool {
	ctx, cancel := context.WithTimeout(ctx, releaseWait*3/4)
	defer cancel()
	alone := make([]bool, len(own.Routers))
	var asking sync.WaitGroup
	for i, r := range own.Routers {
		asking.Go(func() {
			found := s.askSegment(ctx, g, r).macs
			delete(found, virtualOf(g, r.Name))
			alone[i] = len(found) == 0
		})
	}
	asking.Wait()
	return slices.Contains(alone, true)
}
