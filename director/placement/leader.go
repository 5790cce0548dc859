package placement

import (
	"cmp"
	"fmt"
	"time"

	"github.com/quorate/quorate/fsm"
)

const (
	// moveAgain is how long a leader waits after a move that came to nothing before it wants another.
	moveAgain = 5 * time.Second
	// passOver is for how long others are asked before the one that a move came to nothing to: as long as some of them
	// need, one after another.
	passOver = 6 * moveAgain
	// orderAgain is how long it leaves the order of successors alone after a change.
	orderAgain = time.Second
)

// Leader is what a director remembers of all groups while it leads, so that [Place] can be asked about each. It
// reads no clock; a new leader begins with nothing.
type Leader struct {
	name    string
	gone    time.Duration // for how long an agent must be silent to be unheard
	since   time.Time
	intents map[string]intentSeen
	dropped map[string]time.Time // group: when a move of it came to nothing
	refused map[target]time.Time // when a move to a director came to nothing
	ordered map[string]time.Time // group: when its successors were last put into another order
	lost    map[string]lost      // group: why the owner that the log names is not Active any more
	readied map[string]uint64    // group: the epoch in which its owner has been ready
	wishes  Wishes
	heard   Wishes // who owns a group as whom the log names hears, and cannot report it
}

// lost is the first cause since the owner of an epoch was Active.
type lost struct {
	epoch uint64
	why   string
}

type intentSeen struct {
	epoch uint64
	to    string
	at    time.Time
}

// target is a director that a group was to move to.
type target struct{ group, to string }

// NewLeader returns what a director that leads from now on remembers: nothing yet. Gone is for how
// long an agent is silent that is taken for dead: [ownership.GoneAfter] with beats of the usual length.
func NewLeader(name string, gone time.Duration, now time.Time) *Leader {
	return &Leader{name: name, gone: gone, since: now, intents: map[string]intentSeen{}, dropped: map[string]time.Time{}, refused: map[target]time.Time{}, ordered: map[string]time.Time{}, lost: map[string]lost{}, readied: map[string]uint64{}}
}

// Look completes what is known of all groups, of which only Group, Log, Placement, Views and Before need be set. Silent is
// for how long nothing came from the agent of each other member.
func (l *Leader) Look(now time.Time, all []Situation, silent map[string]time.Duration) {
	shares := make([]Share, len(all))
	for i := range all {
		s := &all[i]
		s.Leader, s.Age = l.name, l.age(now, s.Group, s.Log)
		s.Sound = Sound(silent, l.name, s.Log.Owner, now.Sub(l.since))
		for j := range s.Views {
			v := &s.Views[j]
			v.Silent, v.Score = silent[v.Name], v.Score+s.Placement.Scores[v.Name]
			v.Unheard = v.Silent >= l.gone
			v.Refused = l.refusal(now, target{s.Group, v.Name})
		}
		s.Lost, s.WasReady = l.loss(*s), l.wasReady(*s)
		shares[i] = ShareOf(*s)
	}
	load, plan := Loads(shares), Spread(shares)
	for i := range all {
		s := &all[i]
		s.Load, s.Spread = load, plan[s.Group]
		s.Unreported = l.heard.Look(s.Group, s.Log.Epoch, Wish{To: unreported(*s)}, now)
		s.Wished = l.wishes.Look(s.Group, s.Log.Epoch, Wished(*s), now)
	}
}

// loss returns why the owner that the log names is not Active any more, or nothing: a fault may have come and gone
// before another has taken over.
func (l *Leader) loss(s Situation) string {
	v := find(s.Views, s.Log.Owner)
	known := l.lost[s.Group]
	switch {
	case v == nil || v.Alive && v.Active:
		delete(l.lost, s.Group)
		return ""
	case known.epoch == s.Log.Epoch && known.why != "":
		return known.why
	case !v.Alive:
		return ""
	}
	l.lost[s.Group] = lost{s.Log.Epoch, cmp.Or(v.Fault, v.Yielded)}
	return l.lost[s.Group].why
}

// wasReady reports whether the owner has been ready since it was named, as far as this leader has seen. What it was before, a
// report says that knows no such epoch.
func (l *Leader) wasReady(s Situation) bool {
	if v := find(s.Views, s.Log.Owner); v != nil && v.Alive && v.Ready && v.Epoch >= s.Log.Epoch {
		l.readied[s.Group] = s.Log.Epoch
	}
	epoch, ok := l.readied[s.Group]
	return ok && epoch == s.Log.Epoch
}

// age returns how long this leader has seen the group's intent.
func (l *Leader) age(now time.Time, name string, g fsm.Ownership) time.Duration {
	seen, ok := l.intents[name]
	if g.Intent == nil {
		if ok && seen.epoch > g.Epoch { // it ended without an owner
			l.dropped[name], l.refused[target{name, seen.to}] = now, now
			l.wishes.Again(name)
		}
		delete(l.intents, name)
		return 0
	}
	if !ok || seen.epoch != g.Intent.Epoch {
		seen = intentSeen{g.Intent.Epoch, g.Intent.To, now}
		l.intents[name] = seen
	}
	return now.Sub(seen.at)
}

// refusal says that a group was to move to a director lately, and did not, or is empty.
func (l *Leader) refusal(now time.Time, to target) string {
	at, ok := l.refused[to]
	switch {
	case !ok:
		return ""
	case now.Sub(at) >= passOver:
		delete(l.refused, to)
		return ""
	}
	return fmt.Sprintf("a move to it came to nothing within the last %v", passOver)
}

// Decide returns what to propose for a group that [Leader.Look] has looked at, or nil: what [Place] says, but not
// the same again right after it came to nothing.
func (l *Leader) Decide(now time.Time, s Situation) fsm.Command {
	d := Place(s)
	switch {
	case d.Confirm != nil:
		return *d.Confirm
	case d.Drop != nil:
		return *d.Drop
	case d.Move != nil && !within(l.dropped, s.Group, now, moveAgain):
		return *d.Move
	case d.Order != nil && !within(l.ordered, s.Group, now, orderAgain):
		l.ordered[s.Group] = now
		return *d.Order
	}
	return nil
}

// within reports whether something happened to a group no longer ago than that.
func within(at map[string]time.Time, group string, now time.Time, d time.Duration) bool {
	t, ok := at[group]
	return ok && now.Sub(t) < d
}
