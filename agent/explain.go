package agent

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// explainLimit is how long a member may take to say what it knows of a group.
const explainLimit = time.Second

// word is what a member says when it is asked to explain a group.
type word struct {
	api.Attestation
	Outlook   *outlook       `json:"outlook,omitempty"` // of who leads
	Decisions []api.Decision `json:"decisions"`
	Now       time.Time      `json:"now,omitzero"` // by its clock
	came      time.Time      // by the clock of who asked
}

// Explain implements [api.Agent]. A member that does not answer is named, and does not hold up the others.
func (a *Agent) Explain(ctx context.Context, group string) (api.Explanation, error) {
	s, err := a.current()
	if err != nil {
		return api.Explanation{}, err
	}
	state := s.node.State()
	g, err := findGroup(state, group)
	if err != nil {
		return api.Explanation{}, err
	}
	live := s.everyReport(time.Now())
	status := groupStatus(state, live, g, s.cfg.Name)
	e := api.Explanation{
		Group: group, Owner: status.Owner, Epoch: status.Epoch, Named: status.Named, Reason: status.Reason, Order: status.Order, Next: status.Next, Moving: status.Moving,
		Members: []api.Attestation{},
	}
	words := s.askWords(ctx, state, group)
	if e.Owner == "" {
		e.Owner, e.Reason = ownerByWord(state.Groups[group], words, e.Reason)
	}
	ahead(&e, g.Placement, views(state, live, s.reports.stopped, group, time.Now()), words)
	st := api.Status{Name: s.cfg.Name, Leader: s.node.Leader()}
	s.sayQuorum(&st, live)
	e.NoQuorum = unmovable(st, group)
	for _, w := range words {
		e.Members = append(e.Members, w.Attestation)
		if w.Name == e.Owner && w.Part == "active" {
			e.Since = w.Since
		}
	}
	e.Decisions = lastDecisions(words)
	return e, nil
}

// lastDecisions are the last ones of all members, oldest first. What counts is how long ago each was by the clock of whom decided it:
// one whose clock is ahead would else crowd out the others.
func lastDecisions(words []word) []api.Decision {
	type aged struct {
		api.Decision
		at time.Time // by this director's clock
	}
	var all []aged
	for _, w := range words {
		for _, d := range w.Decisions {
			at := d.Time
			if !w.Now.IsZero() && !w.came.IsZero() {
				at = w.came.Add(d.Time.Sub(w.Now))
			}
			all = append(all, aged{d, at})
		}
	}
	slices.SortStableFunc(all, func(a, b aged) int { return a.at.Compare(b.at) })
	out := []api.Decision{}
	for _, d := range all[max(len(all)-ownership.Kept, 0):] {
		out = append(out, d.Decision)
	}
	return out
}

// unmovable says why a group cannot be moved from here, if it cannot, by what the status of this director says of the quorum.
func unmovable(st api.Status, group string) string {
	switch {
	case st.CutOff && 2*st.Answering > st.Voters:
		return st.Name + " is cut off: the leader is heard, but not reached: " + group + " cannot be moved from here"
	case st.CutOff:
		return st.Name + " is cut off: the leader is heard, but no majority of the voters answers it: " + group + " cannot be moved from here"
	case !st.Quorum:
		return "no quorum: VRRP alone decides who owns " + group + ", and it cannot be moved"
	}
	return ""
}

// ownerByWord is who says that it owns a group when it is asked, and why, where neither a report that counts nor an advert says so.
func ownerByWord(log fsm.Ownership, words []word, nobody string) (owner, reason string) {
	for _, w := range words {
		if w.Part == "active" {
			o := owning{name: w.Name, reason: w.Name + " says that it does", heard: true}
			if w.Name == log.Owner {
				o.reason = log.Reason
			}
			return o.name, because(log, o)
		}
	}
	return "", nobody
}

func findGroup(state *fsm.State, name string) (fsm.Group, error) {
	var names []string
	for _, g := range state.Config.Groups() {
		if g.Name == name {
			return g, nil
		}
		if slices.ContainsFunc(g.Routers, func(r fsm.Router) bool { return r.Name == name }) {
			return fsm.Group{}, fmt.Errorf("no group %q: it is a router in group %q, whose routers move together", name, g.Name)
		}
		names = append(names, g.Name)
	}
	if len(names) == 0 {
		return fsm.Group{}, fmt.Errorf("no group %q: the configuration has no routers", name)
	}
	return fsm.Group{}, fmt.Errorf("no group %q: there are %s", name, strings.Join(names, ", "))
}

// askWords asks every member what it knows of a group, by name.
func (s *session) askWords(ctx context.Context, state *fsm.State, group string) []word {
	ctx, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	words := make([]word, len(state.Members))
	var asking sync.WaitGroup
	for i, name := range slices.Sorted(maps.Keys(state.Members)) {
		if name == s.cfg.Name {
			asking.Go(func() {
				words[i] = s.word(ctx, group)
				words[i].came = time.Now()
			})
			continue
		}
		asking.Go(func() {
			if err := s.ask(ctx, name, http.MethodGet, "/peer/explain/"+url.PathEscape(group), nil, &words[i]); err != nil {
				words[i] = word{Attestation: api.Attestation{Name: name, Error: err.Error()}}
			}
			words[i].came = time.Now()
		})
	}
	asking.Wait()
	return words
}

func (s *session) serveExplain(w http.ResponseWriter, r *http.Request) {
	answer(w, s.word(r.Context(), r.PathValue("group")))
}

// word is what this member says of a group.
func (s *session) word(ctx context.Context, group string) word {
	state := s.node.State()
	w := word{Attestation: api.Attestation{Name: s.cfg.Name, Epoch: state.Groups[group].Epoch, Hears: map[string]string{}}}
	w.Role, w.Draining = string(s.cfg.Role), state.Members[s.cfg.Name].Draining || s.isLeaving()
	if s.node.IsLeader() {
		w.Outlook = s.outlooks.of(group, time.Now())
	}
	w.Why = s.unready(state)
	w.Ready = len(w.Why) == 0
	if g, ok := s.keeper.Status().Group(group); ok {
		w.Part, w.Since, w.Priority = g.State, g.Since.UTC(), g.Priority
		w.Reason = partReason(g.Reason, claimedFor(s.cfg.Name, g.Reason, s.groups.Claimed(group), state.Groups[group]))
		for _, r := range g.Routers {
			if arrives(g, r) {
				w.Hears[r.Name] = cmp.Or(memberAt(state, r.Heard.Source.String()), "foreign "+r.Heard.Source.String())
			}
		}
	}
	now := time.Now()
	owner := state.Groups[group].Owner
	if w.Part == "backup" && owner != "" && state.Config.Services.Len() > 0 && !s.groups.Gone(group, owner, now) {
		ctx, cancel := context.WithTimeout(ctx, explainLimit/3) // what else there is to say must not wait for it
		defer cancel()
		if c, err := s.sample(ctx, owner); err == nil { // an owner that does not answer is named by others
			w.Sampled, w.Covered = c.Total, c.Have
		}
	}
	for _, name := range s.others() {
		if s.groups.Gone(group, name, now) {
			w.Gone = append(w.Gone, name)
		}
	}
	slices.Sort(w.Gone)
	for _, d := range append(s.groups.Records(group), s.placed.of(group)...) {
		w.Decisions = append(w.Decisions, api.Decision{Time: d.At.UTC(), Director: s.cfg.Name, Kind: d.Kind, Text: d.Text, Inputs: d.Inputs})
	}
	w.Now = time.Now().UTC()
	return w
}

// placed remembers what this director decided about each group while it led.
type placed struct {
	mu      sync.Mutex
	byGroup map[string]ownership.Records
}

func (p *placed) add(group string, r ownership.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byGroup == nil {
		p.byGroup = map[string]ownership.Records{}
	}
	rs := p.byGroup[group]
	rs.Add(r)
	p.byGroup[group] = rs
}

// follow has what was decided before in another session, of the same agent, come before what this one remembers.
func (p *placed) follow(before map[string]ownership.Records) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byGroup == nil {
		p.byGroup = map[string]ownership.Records{}
	}
	for group, older := range before {
		var rs ownership.Records
		for _, r := range append(older, p.byGroup[group]...) {
			rs.Add(r)
		}
		p.byGroup[group] = rs
	}
}

// decisions are the last ones about each group, for the session that comes after this one.
func (s *session) decisions() map[string]ownership.Records {
	out := map[string]ownership.Records{}
	for _, g := range s.node.State().Config.Groups() {
		rs := append(s.groups.Records(g.Name), s.placed.of(g.Name)...)
		slices.SortStableFunc(rs, func(a, b ownership.Record) int { return a.At.Compare(b.At) })
		out[g.Name] = rs
	}
	return out
}

func (p *placed) of(group string) []ownership.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.byGroup[group])
}
