package liveness

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/director/probe"
)

const (
	// slack is how much later than it should a prober may run.
	slack = 100 * time.Millisecond
	// past is after how long a stall is of no interest any more.
	past = time.Minute
)

// Tracker remembers when who gave a sign of life last. It is told the time and reads no clock.
//
// Silence is measured from the last sign, but never over a time in which this process did not run when it
// should have: what was not heard then was not listened for. From the end of such a stall all silence
// counts anew.
type Tracker struct {
	every     time.Duration
	suspended func() time.Duration
	back      func(member string) // nil: nobody wants to know
	again     func()              // nil: nobody wants to know
	read      func()              // nil: all that came was told

	mu      sync.Mutex
	since   time.Time                  // silence counts from here: the start, or the end of the last stall
	stalls  []stall                    // the last of each length, each shorter than the one before
	ran     map[string]time.Time       // prober: when it ran last
	heard   map[string]time.Time       // member: when a word of it came last
	reached map[probe.Target]time.Time // when it answered last or was asked first; zero: it cannot be asked
}

// stall is a time in which this process did not run when it should have.
type stall struct {
	end  time.Time
	late time.Duration // how much later than it should a prober ran
}

// NewTracker returns a tracker that starts at now, of members that are told of each other and asked for that often. Suspended
// says for how long the machine was suspended since it was asked last: the process's own clock stands still meanwhile. It is asked
// many times in a period, and is told no time: a look may be told one of before a suspend, and is to find that.
func NewTracker(now time.Time, every time.Duration, suspended func() time.Duration) *Tracker {
	return &Tracker{
		every: every, suspended: suspended, since: now,
		ran: map[string]time.Time{}, heard: map[string]time.Time{}, reached: map[probe.Target]time.Time{},
	}
}

// Every is how often members are told that this one is there, and asked whether they are.
func (t *Tracker) Every() time.Duration { return t.every }

// steady is for how long all probers must have run on time before this director counts as on time.
func (t *Tracker) steady() time.Duration { return 3 * t.every }

// Ran notes that a prober ran, which it is to do that often.
func (t *Tracker) Ran(prober string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(now)
	t.ran[prober] = later(t.ran[prober], now)
}

// Ended notes that a prober runs no more, and is not to.
func (t *Tracker) Ended(prober string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.ran, prober)
}

// look notices a stall: a prober that should have run, or a machine that slept. Whoever looks at the tracker
// looks first whether there was one: after it, the probers may be the last to run.
func (t *Tracker) look(now time.Time) {
	late := t.suspended()
	for _, at := range t.ran {
		late = max(late, now.Sub(at)-t.every)
	}
	if late <= slack {
		return
	}
	t.since = later(t.since, now)
	t.stalls = append(slices.DeleteFunc(t.stalls, func(s stall) bool { return s.late <= late || now.Sub(s.end) > past }), stall{now, late})
	for prober, at := range t.ran {
		t.ran[prober] = later(at, now)
	}
}

// Heard notes that a word of a member came.
func (t *Tracker) Heard(member string, now time.Time) {
	if t.note(member, now) && t.back != nil {
		t.back(member)
	}
}

// note notes a word of a member, and reports whether it came after a silence.
func (t *Tracker) note(member string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was, known := t.heard[member]
	t.heard[member] = later(was, now)
	return known && now.Sub(was) >= t.steady()
}

// OnReturn has f called when a word of a member comes after a silence; f must not block. It is set before the
// tracker is told anything.
func (t *Tracker) OnReturn(f func(member string)) { t.back = f }

// Keep forgets all members but these. The silence of one that is new counts from now.
func (t *Tracker) Keep(members []string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.heard, func(m string, _ time.Time) bool { return !slices.Contains(members, m) })
	for _, m := range members {
		if _, known := t.heard[m]; !known {
			t.heard[m] = now
		}
	}
}

// Watch says which targets are asked from now on.
func (t *Tracker) Watch(targets []probe.Target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := make(map[probe.Target]time.Time, len(targets))
	for _, target := range targets {
		next[target] = t.reached[target]
	}
	t.reached = next
}

// Asked notes that a target was asked, or with an error that it could not be: then nothing is known of it
// until it is asked again.
func (t *Tracker) Asked(target probe.Target, now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.reached[target]
	switch {
	case !ok:
	case err != nil:
		t.reached[target] = time.Time{}
	case at.IsZero():
		t.reached[target] = now
	}
}

// Answered notes that a target answered.
func (t *Tracker) Answered(target probe.Target, now time.Time) {
	if t.noteAnswer(target, now) && t.again != nil {
		t.again()
	}
}

// noteAnswer notes an answer, and reports whether it came after a silence.
func (t *Tracker) noteAnswer(target probe.Target, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.reached[target]
	if ok {
		t.reached[target] = later(at, now)
	}
	return ok && !at.IsZero() && now.Sub(at) >= t.steady()
}

// OnReach has f called when a target answers after a silence; f must not block. It is set before the tracker is
// told anything.
func (t *Tracker) OnReach(f func()) { t.again = f }

// BeforeDoubt has f called before a target that answered its last question but one is said to be silent, or doubted: it
// has answers told that came and were not read yet. It is set before the tracker is told anything.
func (t *Tracker) BeforeDoubt(f func()) { t.read = f }

// OnTime reports whether this process has run when it should for long enough that silence means something.
func (t *Tracker) OnTime(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(now)
	return now.Sub(t.since) >= t.steady()
}

// Thawed returns when this process went on after it had stood still, so that a prober was that late or later; zero if
// that is not known any more, or never was. What it is told right after that may be old.
func (t *Tracker) Thawed(late time.Duration, now time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(now)
	for _, s := range slices.Backward(t.stalls) {
		if s.late >= late {
			return s.end
		}
	}
	return time.Time{}
}

// Unheard is for how long no word of a member came. One that was never heard counts from the start.
func (t *Tracker) Unheard(member string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(now)
	return t.silence(t.heard[member], now)
}

// Unreached is for how long none of some targets has answered; negative if none of them is asked.
func (t *Tracker) Unreached(targets []probe.Target, now time.Time) time.Duration {
	d := t.unreached(targets, now)
	if t.read != nil && d > t.every*3/2 {
		t.read()
		d = t.unreached(targets, now)
	}
	return d
}

// Doubted is for how long the target has not answered that has not for the shortest time of those which have not for longer
// than least; 0 if there is none.
func (t *Tracker) Doubted(least time.Duration, now time.Time) time.Duration {
	d := t.doubted(least, now)
	if t.read != nil && d > 0 {
		t.read()
		d = t.doubted(least, now)
	}
	return d
}

func (t *Tracker) doubted(least time.Duration, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(now)
	shortest := time.Duration(0)
	for _, at := range t.reached {
		if at.IsZero() {
			continue
		}
		if d := t.silence(at, now); d > least && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	return shortest
}

func (t *Tracker) unreached(targets []probe.Target, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look(now)
	shortest := time.Duration(-1)
	for _, target := range targets {
		at := t.reached[target]
		if at.IsZero() {
			continue
		}
		if d := t.silence(at, now); shortest < 0 || d < shortest {
			shortest = d
		}
	}
	return shortest
}

// silence is how long ago a last sign was, as far as it counts.
func (t *Tracker) silence(last, now time.Time) time.Duration {
	return max(now.Sub(later(last, t.since)), 0)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
