package track

import "time"

// State is what is known of a track.
type State string

// The states of a track.
const (
	Unknown State = "unknown" // it has said nothing yet
	Passing State = "passing"
	Failing State = "failing"
)

// Result is what a track has come to.
type Result struct {
	Kind   Kind
	State  State
	Value  int       // a file's number, the number of processes
	Fault  bool      // it fails in every use: a file that must be there is not
	Reason string    // why it does not pass, in one line
	Since  time.Time // when the state last changed
}

// Observation is what one look said.
type Observation struct {
	OK     bool
	Value  int
	Fault  bool
	Reason string
}

// Tracker turns observations into a result. It is pure: it is told the time.
type Tracker struct {
	Rise, Fall         int           // observations in a row that turn it
	UpDelay, DownDelay time.Duration // that it must then stay so

	last Result
	run  int         // observations in a row that contradict last
	next Observation // the newest of them
	due  time.Time   // when it turns if nothing contradicts next until then; zero: no timer runs
}

// Result returns what the observations so far have come to.
func (t *Tracker) Result() Result {
	r := t.last
	if r.State == "" {
		r.State = Unknown
	}
	return r
}

// Deadline is when [Tracker.Expire] must be called, zero if it need not be.
func (t *Tracker) Deadline() time.Time { return t.due }

// Observe takes an observation at time now. The value of a file counts at once, whatever else waits.
func (t *Tracker) Observe(now time.Time, o Observation) {
	t.last.Value = o.Value
	passing := t.last.State == Passing
	switch {
	case t.last.State == "":
		t.turn(now, o)
		return
	case o.OK == passing: // as we know it
		t.run, t.due = 0, time.Time{}
		t.last.Reason, t.last.Fault = o.Reason, o.Fault
		return
	}
	t.run++
	t.next = o
	need, delay := t.Fall, t.DownDelay
	if o.OK {
		need, delay = t.Rise, t.UpDelay
	}
	if t.run >= need && t.due.IsZero() {
		t.due = now.Add(delay)
	}
	t.Expire(now)
}

// Expire says that it is now, and a deadline may have passed.
func (t *Tracker) Expire(now time.Time) {
	if !t.due.IsZero() && !now.Before(t.due) {
		t.turn(now, t.next)
	}
}

func (t *Tracker) turn(now time.Time, o Observation) {
	t.run, t.due = 0, time.Time{}
	t.last.State, t.last.Since, t.last.Reason, t.last.Fault = Failing, now, o.Reason, o.Fault
	if o.OK {
		t.last.State = Passing
	}
}
