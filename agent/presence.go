package agent

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// goodbyeLimit is how long who stops waits until the others know it: those that were heard of lately.
const goodbyeLimit = 2 * time.Second

// absentAfter is how long a director that a group is to move to may take to answer.
const absentAfter = 2 * time.Second

// presence is who is there, as this director's events have it. It belongs to follow.
type presence struct {
	members map[string]attendance
	quorum  attendance
	leader  string    // the last that led
	began   time.Time // when it was looked first
}

// attendance is whether one is there: unknown, until it was heard of or had time for it.
type attendance struct {
	known, here bool
	since       time.Time
	begun       int64 // of its session
}

// look returns what is to be told of one that is there now, or is not: "gone", "back", "anew" or nothing. Patience is
// how long one is waited for that was never heard of.
func (a *attendance) look(now time.Time, here bool, begun int64, patience time.Duration) (news string, away time.Duration) {
	was := *a
	switch {
	case here:
		a.known, a.here, a.begun = true, true, begun
		if !was.here {
			a.since = now
		}
		switch {
		case was.known && !was.here:
			return "back", now.Sub(was.since)
		case was.here && was.begun != begun && was.begun != 0:
			return "anew", 0
		}
	case was.here || !was.known && now.Sub(was.since) >= patience:
		a.known, a.here, a.since = true, false, now
		return "gone", 0
	}
	return "", 0
}

// tellPresence makes events of members that go and come back, and of the quorum that is lost and there again.
func (s *session) tellPresence(now time.Time) {
	p := &s.presence
	if p.members == nil {
		p.members, p.began, p.quorum.since = map[string]attendance{}, now, now
	}
	live, members := s.reports.live(now), s.others()
	for name := range p.members {
		if !slices.Contains(members, name) {
			delete(p.members, name)
		}
	}
	slices.Sort(members)
	for _, name := range members {
		a, ok := p.members[name]
		if !ok {
			a.since = now
		}
		r, here := live[name]
		news, away := a.look(now, here && !r.Stopped, r.Begun, 2*reportLife)
		p.members[name] = a
		if text := attended(name, news, r.Stopped, away); text != "" {
			s.events.add(s.cfg.Name, 0, "member", name, text)
		}
	}
	s.tellQuorum(now, live)
	if p.quorum.here {
		if before := p.led(s.node.Leader()); before != "" {
			s.events.add(s.cfg.Name, 0, "quorum", "", leads(p.leader, before, s.whyNot(before, now)))
		}
	}
}

// led notes who leads, and returns who did before if that was another. While nobody is known to lead nothing has changed.
func (p *presence) led(leader string) (before string) {
	if leader == "" || leader == p.leader {
		return ""
	}
	before, p.leader = p.leader, leader
	return before
}

// leads says that another leads than before, and what became of that one.
func leads(leader, before, why string) string {
	if why != "" {
		why = ", which " + why
	}
	return fmt.Sprintf("%s leads, before: %s%s", leader, before, why)
}

// whyNot says why a member could lead no more, or is empty where nothing is known of it.
func (s *session) whyNot(name string, now time.Time) string {
	_, member := s.node.State().Members[name]
	switch {
	case !member:
		return "is no member any more"
	case name == s.cfg.Name:
		return ""
	case s.reports.stopped(name, now):
		return wasStopped
	case s.reports.lost(name, now):
		return "does not answer"
	}
	return ""
}

// attended says that a member went or came back.
func attended(name, news string, stopped bool, away time.Duration) string {
	switch {
	case news == "gone" && stopped:
		return name + " was stopped"
	case news == "gone":
		return name + " does not answer"
	case news == "back":
		return fmt.Sprintf("%s answers again, after %v", name, away.Round(100*time.Millisecond))
	case news == "anew":
		return name + " has started anew"
	}
	return ""
}

// tellQuorum makes events of a quorum that is lost, and of one that is there again.
func (s *session) tellQuorum(now time.Time, live map[string]received) {
	switch news, away := s.presence.quorum.look(now, s.quorum(), 0, 2*reportLife); news {
	case "gone":
		var silent []string
		for _, name := range s.node.Voters() {
			if r, here := live[name]; name != s.cfg.Name && (!here || r.Stopped) {
				silent = append(silent, name)
			}
		}
		text := "no quorum: nothing can be changed, and VRRP alone decides who owns"
		if len(silent) > 0 {
			text += "; no answer of " + strings.Join(silent, ", ")
		}
		s.events.add(s.cfg.Name, 0, "quorum", "", text)
	case "back":
		s.presence.leader = s.node.Leader() // said with it
		s.events.add(s.cfg.Name, 0, "quorum", "", fmt.Sprintf("quorum again, after %v: %s leads", away.Round(100*time.Millisecond), s.node.Leader()))
	}
}

// goodbye tells the others that this director's agent stops, where they would find out by its silence.
func (s *session) goodbye() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeLimit)
	defer cancel()
	_, body, err := s.newReport(time.Now())
	if err != nil {
		return
	}
	var telling sync.WaitGroup
	live := s.reports.live(time.Now())
	for _, name := range s.others() {
		if r, here := live[name]; !here || r.Stopped {
			continue
		}
		telling.Go(func() {
			if err := s.ask(ctx, name, http.MethodPost, "/peer/report", body, nil); err != nil {
				s.log.Debug("stop not told", "to", name, "err", err)
			}
		})
	}
	telling.Wait()
}

// absent says why a director cannot take a group just now, though it was heard of a moment ago; empty: it answers.
func (s *session) absent(ctx context.Context, name string) string {
	if name == s.cfg.Name {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, absentAfter)
	defer cancel()
	err := s.node.Reach(ctx, name)
	switch {
	case err == nil:
		return ""
	case ctx.Err() != nil:
		return fmt.Sprintf("%s does not answer within %v", name, absentAfter)
	}
	s.log.Debug("no answer", "of", name, "err", err)
	return name + " does not answer"
}
