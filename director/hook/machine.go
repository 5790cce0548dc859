package hook

import (
	"slices"
	"time"
)

// Timing is how patient a [Machine] is.
type Timing struct {
	Grace    time.Duration // that a hook which runs has to end when the state is another; default: 5s
	Retry    time.Duration // to the second try; doubled from try to try; default: 1s
	RetryMax time.Duration // default: 1m
}

// removedTries is how often the hooks of a group that is no more are tried: nobody could take them out.
const removedTries = 3

// Wish is what this director is to the group now.
type Wish struct {
	State  State
	Epoch  uint64
	Reason string
}

// Record is what the world was last brought towards, and how far.
type Record struct {
	State State    `json:"state"`
	Epoch uint64   `json:"epoch"`
	Done  []string `json:"done,omitempty"` // keys of the tasks that have succeeded
}

// An Event is something that a machine is told.
type Event interface{ event() }

// The events.
type (
	Configured struct{ Group Group } // these are the hooks and addresses now
	Wanted     struct{ Wish Wish }
	Removed    struct{} // the group is no more: stop is wanted, by the hooks of before
	Ended      struct { // the run that was started last has ended
		OK bool
	}
	Ticked struct{} // a deadline may have passed
)

func (Configured) event() {}
func (Wanted) event()     {}
func (Removed) event()    {}
func (Ended) event()      {}
func (Ticked) event()     {}

// An Action is what a machine wants to have done.
type Action interface{ action() }

// The actions.
type (
	Keep  struct{ Record Record } // on disk, before what follows is started
	Start struct{ Run Run }
	Kill  struct{} // the run that was started last; its end is awaited all the same
)

func (Keep) action()  {}
func (Start) action() {}
func (Kill) action()  {}

// Machine decides which hooks of a group run, and when. It does no I/O and reads no clock: it is told
// the time.
type Machine struct {
	name    string
	timing  Timing
	group   Group
	wish    *Wish // nil: nothing was wanted yet
	removed bool

	at    Record
	left  bool           // something else was wanted since at was begun
	tries map[string]try // of the wish, by key

	run    *Run      // nil: nothing runs
	killAt time.Time // zero: what runs is wanted
	killed bool
}

// try is what has become of a task so far.
type try struct {
	failed int
	next   time.Time
}

// NewMachine returns the machine of a group for which the record was kept, which is empty if none was.
func NewMachine(group string, timing Timing, kept Record) *Machine {
	for _, d := range []struct {
		is    *time.Duration
		usual time.Duration
	}{{&timing.Grace, 5 * time.Second}, {&timing.Retry, time.Second}, {&timing.RetryMax, time.Minute}} {
		if *d.is <= 0 {
			*d.is = d.usual
		}
	}
	return &Machine{name: group, timing: timing, at: kept, tries: map[string]try{}}
}

// Step tells the machine an event at time now, and returns what is to be done, in order.
func (m *Machine) Step(now time.Time, e Event) []Action {
	var actions []Action
	switch e := e.(type) {
	case Configured:
		m.removed = false
		actions = m.configure(e.Group)
	case Wanted:
		if !m.removed {
			m.want(e.Wish)
		}
	case Removed:
		if m.removed = true; m.wish != nil {
			m.want(Wish{State: Stop, Epoch: m.wish.Epoch, Reason: "the group was removed"})
		}
	case Ended:
		actions = m.ended(now, e.OK)
	}
	if m.run != nil {
		return append(actions, m.watch(now)...)
	}
	return append(actions, m.next(now)...)
}

// configure takes the hooks. What was done by a task that is no more is forgotten: the same one may
// come back after the world has changed.
func (m *Machine) configure(g Group) []Action {
	m.group = g
	keys := map[string]bool{}
	for _, t := range g.tasks(m.at.State) {
		keys[t.key] = true
	}
	done := slices.DeleteFunc(slices.Clone(m.at.Done), func(key string) bool { return !keys[key] })
	if len(done) == len(m.at.Done) {
		return nil
	}
	m.at.Done = done
	return []Action{m.keep()}
}

// want takes a wish, but for one of an older epoch.
func (m *Machine) want(w Wish) {
	switch {
	case m.Stale(w):
		return
	case m.wish == nil || w.State != m.wish.State || w.Epoch != m.wish.Epoch:
		clear(m.tries)
	}
	m.wish = &w
	if w.State != m.at.State {
		m.left = true
	}
}

// Stale reports whether a wish is older than what is wanted.
func (m *Machine) Stale(w Wish) bool { return m.wish != nil && w.Epoch < m.wish.Epoch }

// ended takes the result of what ran, if it is still of use.
func (m *Machine) ended(now time.Time, ok bool) []Action {
	run := m.run
	m.run, m.killAt, m.killed = nil, time.Time{}, false
	switch {
	case run == nil || !m.wanted(*run):
		return nil
	case ok:
		delete(m.tries, run.task.key)
		m.at.Done = append(slices.Clone(m.at.Done), run.task.key)
		return []Action{m.keep()}
	}
	t := m.tries[run.task.key]
	t.failed++
	t.next = now.Add(m.backoff(t.failed))
	m.tries[run.task.key] = t
	return nil
}

// again returns the time from the end of a failed run to the next of the same, 0 if it was given up.
func (m *Machine) again(run Run) time.Duration {
	if m.removed && run.Attempt >= removedTries {
		return 0
	}
	return m.backoff(run.Attempt)
}

func (m *Machine) backoff(failed int) time.Duration {
	d := m.timing.Retry
	for range failed - 1 {
		if d *= 2; d >= m.timing.RetryMax {
			return m.timing.RetryMax
		}
	}
	return d
}

// wanted reports whether a run does what is wanted now.
func (m *Machine) wanted(run Run) bool {
	if m.wish == nil || run.State != m.wish.State {
		return false
	}
	if run.State == Owner && (m.left || run.Epoch != m.wish.Epoch) {
		return false
	}
	return slices.ContainsFunc(m.group.tasks(run.State), func(t task) bool { return t.key == run.task.key })
}

// watch gives a run that is not wanted any more some time to end.
func (m *Machine) watch(now time.Time) []Action {
	switch {
	case m.wanted(*m.run) && !m.killed:
		m.killAt = time.Time{}
	case m.killAt.IsZero():
		m.killAt = now.Add(m.timing.Grace)
	case !m.killed && !now.Before(m.killAt):
		m.killed = true
		return []Action{Kill{}}
	}
	return nil
}

// next starts what is to run next. Nothing runs.
func (m *Machine) next(now time.Time) []Action {
	if m.wish == nil {
		return nil
	}
	var actions []Action
	if again := m.wish.State == Owner && (m.left || m.at.Epoch != m.wish.Epoch); again || m.at.State != m.wish.State {
		m.at = Record{State: m.wish.State, Epoch: m.wish.Epoch}
		actions = append(actions, m.keep())
	} else if m.at.Epoch != m.wish.Epoch {
		m.at.Epoch = m.wish.Epoch
		actions = append(actions, m.keep())
	}
	m.left = false
	for _, t := range m.undone() {
		if try := m.tries[t.key]; !now.Before(try.next) {
			m.run = &Run{
				Group: m.name, State: m.wish.State, Epoch: m.wish.Epoch, Reason: m.wish.Reason,
				Attempt: try.failed + 1, task: t,
			}
			return append(actions, Start{*m.run})
		}
	}
	return actions
}

// undone returns the tasks of the wish that have not succeeded yet, but for those that are given up.
func (m *Machine) undone() []task {
	return slices.DeleteFunc(m.group.tasks(m.wish.State), func(t task) bool {
		return slices.Contains(m.at.Done, t.key) || m.removed && m.tries[t.key].failed >= removedTries
	})
}

func (m *Machine) keep() Action {
	r := m.at
	r.Done = slices.Clone(r.Done)
	return Keep{r}
}

// Deadline is when the machine must be told the time, zero if it need not be.
func (m *Machine) Deadline() time.Time {
	switch {
	case m.run != nil && m.killed, m.run == nil && m.wish == nil:
		return time.Time{}
	case m.run != nil:
		return m.killAt
	}
	var first time.Time
	for _, t := range m.undone() {
		if next := m.tries[t.key].next; first.IsZero() || next.Before(first) {
			first = next
		}
	}
	return first
}

// Settled reports whether nothing runs and all that is wanted is done.
func (m *Machine) Settled() bool { return m.run == nil && (m.wish == nil || len(m.undone()) == 0) }

// Over reports whether the group is no more, and nothing is left to do.
func (m *Machine) Over() bool { return m.removed && m.Settled() }
