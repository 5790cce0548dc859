package checks

import (
	"time"

	"github.com/quorate/quorate/fsm"
)

// Observation is what one director's checks of one real server said.
type Observation struct {
	Health fsm.Health `json:"health"`
	Cause  string     `json:"cause,omitempty"` // of a server that is down
	Since  time.Time  `json:"since,omitzero"`  // when the health last changed, by this director's clock

	// Checks is the [Fingerprint] of the checks that were made: an observation by other checks than
	// the service has now says nothing. Empty stands for any.
	Checks string `json:"checks,omitempty"`
}

// by reports whether the observation was made by the checks with this fingerprint.
func (o Observation) by(checks string) bool { return o.Checks == "" || o.Checks == checks }

// Tracker turns the results of one check of one real server into an observation. It is pure: it is
// told the time. The zero tracker with Rise and Fall set knows nothing yet; its first result
// decides at once, but that one which carries traffic fails as a live one does.
type Tracker struct {
	Rise    int  // passes in a row that make a dead server live
	Fall    int  // failures in a row that make a live server dead
	Serving bool // the server carries traffic though nothing is known of it here: the check is new, or this director was started anew

	last Observation
	run  int // results in a row that contradict last
}

// Observation returns what the results so far amount to.
func (t *Tracker) Observation() Observation {
	o := t.last
	if o.Health == "" {
		o.Health = fsm.Unknown
	}
	return o
}

// Observe takes the result of a scheduled attempt at time now. It returns the observation, and
// whether its health changed.
func (t *Tracker) Observe(now time.Time, r Result) (Observation, bool) {
	return t.take(now, r, false)
}

// Confirm takes the result of a confirm probe at time now. A failure counts as the whole fall; a
// pass does not count towards rise, since that would shorten it.
func (t *Tracker) Confirm(now time.Time, r Result) (Observation, bool) {
	return t.take(now, r, true)
}

func (t *Tracker) take(now time.Time, r Result, confirm bool) (Observation, bool) {
	if r.Local {
		return t.Observation(), false
	}
	switch was := t.Observation().Health; {
	case was == fsm.Unknown && (r.OK || confirm || !t.Serving):
		return t.turn(now, r)
	case was != fsm.Unknown && r.OK == (was == fsm.Up): // as we know it
		t.run = 0
		t.last.Cause = r.Cause
	case was != fsm.Down:
		if t.run++; confirm || t.run >= t.Fall {
			return t.turn(now, r)
		}
	case !confirm:
		if t.run++; t.run >= t.Rise {
			return t.turn(now, r)
		}
	}
	return t.Observation(), false
}

func (t *Tracker) turn(now time.Time, r Result) (Observation, bool) {
	t.run = 0
	t.last = Observation{Health: fsm.Down, Cause: r.Cause, Since: now}
	if r.OK {
		t.last = Observation{Health: fsm.Up, Since: now}
	}
	return t.last, true
}
