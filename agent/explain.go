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
	Decisions []api.Decision `json:"decisions"`
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
	status := groupStatus(state, s.everyReport(time.Now()), g, s.cfg.Name)
	e := api.Explanation{
		Group: group, Owner: status.Owner, Epoch: status.Epoch, Named: status.Named, Reason: status.Reason, Order: status.Order, Moving: status.Moving,
		Members: []api.Attestation{}, Decisions: []api.Decision{},
	}
	words := s.askWords(ctx, state, group)
	if e.Owner == "" {
		e.Owner, e.Reason = ownerByWord(state.Groups[group], words, e.Reason)
	}
	st := api.Status{Name: s.cfg.Name, Leader: s.node.Leader()}
	s.sayQuorum(&st, s.everyReport(time.Now()))
	e.NoQuorum = unmovable(st, group)
	for _, w := range words {
		e.Members = append(e.Members, w.Attestation)
		e.Decisions = append(e.Decisions, w.Decisions...)
		if w.Name == e.Owner && w.Part == "active" {
			e.Since = w.Since
		}
	}
	slices.SortStableFunc(e.Decisions, func(a, b api.Decision) int { return a.Time.Compare(b.Time) })
	e.Decisions = e.Decisions[max(len(e.Decisions)-ownership.Kept, 0):]
	return e, nil
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
			asking.Go(func() { words[i] = s.word(ctx, group) })
			continue
		}
		asking.Go(func() {
			if err := s.ask(ctx, name, http.MethodGet, "/peer/explain/"+url.PathEscape(group), nil, &words[i]); err != nil {
				words[i] = word{Attestation: api.Attestation{Name: name, Error: err.Error()}}
			}
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
	if w.Part == "backup" && owner != "" && len(state.Config.Services) > 0 && !s.groups.Gone(group, owner, now) {
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
