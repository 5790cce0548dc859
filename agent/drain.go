package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/fsm"
)

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
