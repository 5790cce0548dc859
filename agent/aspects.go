package agent

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/fsm"
)

// maxVerdictsTold is how many verdicts of one entry have an event each: more would push all others out of those that are
// kept. Of every server the state says what was agreed, and why.
const maxVerdictsTold = maxEvents / 5

// tellable are the changes that get an event: if there are too many verdicts, the first of them, and how many more there are.
func tellable(changes []fsm.Change) []fsm.Change {
	if len(changes) <= maxVerdictsTold {
		return changes
	}
	var out []fsm.Change
	verdicts := 0
	for _, c := range changes {
		if c.Kind == fsm.VerdictChanged {
			if verdicts++; verdicts > maxVerdictsTold {
				continue
			}
		}
		out = append(out, c)
	}
	if more := verdicts - maxVerdictsTold; more > 0 {
		out = append(out, fsm.Change{Kind: fsm.VerdictChanged, Text: fmt.Sprintf("and %d more verdicts at once: `quorate status` has them all", more)})
	}
	return out
}

// isNews reports whether a change of an entry gets an event: not where another change of the entry says it, or it is nothing to tell, nor where it
// was agreed before this director was in contact with the cluster, and those that were have told it then. What this director
// does to its own state is of now, whichever entry that shows.
func isNews(c fsm.Change, index, past uint64) bool {
	return c.Text != "" && (index > past || c.Kind == fsm.StateHealed)
}

// tellPast makes one event of all that was agreed while this director was away, or before it was a member: once, when it is known
// how far that goes.
func (s *session) tellPast() {
	if s.pastTold || !s.skipped.Load() {
		return
	}
	if past, known := s.node.Past(); known {
		s.pastTold = true
		s.events.add(s.cfg.Name, past, "member", s.cfg.Name, pastText(s.cfg.Name, past))
	}
}

// pastText names nobody who has it among its events: after all were started at once, or in a cluster of one, that is nobody.
func pastText(name string, past uint64) string {
	return fmt.Sprintf("%s is in contact with the cluster: what was agreed before, up to log entry %d, is no event here; those that were there since have it among theirs", name, past)
}

// onChange is told of every applied entry, in order. It must not block.
func (s *session) onChange(prev, next *fsm.State, changes []fsm.Change) {
	about := aspectsOf(prev, next, changes)
	if about.others { // not for each edit of a weight: these are walks through all groups
		s.regroup(prev, next, changes)
	}
	past, _ := s.node.Past()
	for _, c := range tellable(changes) {
		if isNews(c, next.Index, past) {
			s.events.add(s.cfg.Name, next.Index, string(c.Kind), c.Name, c.Text)
			s.log.Info(c.Text, "index", next.Index)
		} else if c.Text != "" {
			s.skipped.Store(true)
		}
	}
	s.unjudged.add(slices.Concat(about.edited, about.judged))
	if about.any {
		s.unjudged.all()
		s.runner.Set(next.Config.Services)
	} else if len(about.edited) > 0 {
		s.runner.Change(next.Config.Services, about.edited)
	}
	switch {
	case s.director == nil:
	case about.any:
		s.director.All()
	default:
		s.director.Changed(about.edited...)
		s.director.Judged(about.judged...)
	}
	if about.others {
		poke(s.tellNow)
	} else {
		s.soon.poke(s.tellNow)
	}
	s.heard.ring() // a leader looks at its duties again
}

// regroup takes it that an entry may have changed routers, their groups or what these need.
func (s *session) regroup(prev, next *fsm.State, changes []fsm.Change) {
	is := func(kinds ...fsm.ChangeKind) bool {
		return slices.ContainsFunc(changes, func(c fsm.Change) bool { return slices.Contains(kinds, c.Kind) })
	}
	if is(fsm.ConfigChanged) {
		s.regrouped.note(prev)
	}
	if is(fsm.ConfigChanged, fsm.StateHealed) {
		s.setNeeds(next.Config)
	}
}

// tellWithin is how long the others wait to hear that this director has an entry which edits services and does nothing else:
// nobody waits for that, and six reports cost more than it takes to change a weight on three directors.
const tellWithin = 100 * time.Millisecond

// later pokes a channel after [tellWithin], once for all that is asked for until then.
type later struct{ due atomic.Bool }

func (l *later) poke(c chan struct{}) {
	if l.due.CompareAndSwap(false, true) {
		time.AfterFunc(tellWithin, func() {
			l.due.Store(false)
			poke(c)
		})
	}
}

// aspects are the services that an entry of the log is about.
type aspects struct {
	any    bool     // any of them may be another than before, and so may every verdict
	edited []string // else these
	judged []string // and the verdicts on servers of these
	others bool     // it may be about something else than a configuration's services
}

// aspectsOf says which services may be others than before an entry, by its changes.
func aspectsOf(prev, next *fsm.State, changes []fsm.Change) (a aspects) {
	everything := aspects{any: true, others: true}
	config := false
	for _, c := range changes {
		switch c.Kind {
		case fsm.StateHealed:
			return everything
		case fsm.ConfigChanged:
			config = true
		case fsm.ServiceChanged:
			a.edited = append(a.edited, c.Name)
		case fsm.VerdictChanged:
			a.others = true
			var key fsm.ServerKey
			if key.UnmarshalText([]byte(c.Name)) != nil {
				return everything
			}
			if n := len(a.judged); n == 0 || a.judged[n-1] != key.Service {
				a.judged = append(a.judged, key.Service)
			}
		default:
			a.others = true
		}
	}
	if config && len(a.edited) == 0 { // it does not say which
		for range next.Config.Services.Since(prev.Config.Services) {
			return everything
		}
	}
	a.others = a.others || len(a.edited) == 0
	return a
}
