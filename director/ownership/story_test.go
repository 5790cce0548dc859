package ownership

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

// story is one machine on a virtual clock, with a picture of what is known that a test paints on.
type story struct {
	t   *testing.T
	m   *Machine
	now time.Time
	Facts
	mute map[string]bool // routers on which nothing arrives any more: their age grows, and they become silent

	begun []Action // since the last look at them
	open  []open   // with an outcome that is still to come
	last  uint64   // ID of an action
	asks  uint64   // ID of a question
}

// open is an action under way.
type open struct {
	Action
	until time.Time // the driver gives up then; zero: it does not
}

// errLate is the outcome of an action that took all its time.
var errLate = errors.New("no answer in time")

// newStory begins with d1 as the owner of a group of two routers, d2 as its first successor and this director,
// and d3 as the next. All is well.
func newStory(t *testing.T) *story {
	t.Helper()
	well := func(name string, part Part) Member {
		return Member{Name: name, Alive: true, Ready: true, Fit: true, Part: part, Unreached: []time.Duration{0, 0}}
	}
	s := &story{
		t: t, m: NewMachine(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), mute: map[string]bool{},
		Facts: Facts{
			Self: "d2", Group: "g", Log: fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}},
			Current: true, Quorum: true, Ready: true, OnTime: true, Voters: 3,
			Keeper: Keeper{
				Part: Standby, Interval: time.Second, Lifetime: 3 * time.Second, Renewal: 750 * time.Millisecond,
				Routers: []Router{{Name: "out", Heard: "d1"}, {Name: "in", Heard: "d1"}},
			},
			Members: []Member{well("d1", Owner), well("d3", Standby)},
		},
	}
	s.look()
	s.does()
	return s
}

// member is the picture of a member, to paint on.
func (s *story) member(name string) *Member {
	for i := range s.Members {
		if s.Members[i].Name == name {
			return &s.Members[i]
		}
	}
	s.t.Fatalf("no member %s", name)
	return nil
}

// owns makes this director the owner, as its keeper and its log say.
func (s *story) owns() {
	s.Keeper.Part = Owner
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Heard = ""
	}
	s.Log.Owner, s.Log.Order = "d2", []string{"d1", "d3"}
	s.member("d1").Part = Standby
	s.look()
}

// wants has the log want a move to this director, in the next epoch.
func (s *story) wants() {
	s.Log.Intent = s.intends()
	s.look()
}

// intends is the intent of that move.
func (s *story) intends() *fsm.Intent {
	return &fsm.Intent{To: s.Self, Epoch: s.Log.Epoch + 1, Reason: "d1 drains"}
}

func (s *story) look() { s.step(Look{}) }

// asked is a question of another member.
func (s *story) asked(from string, q Question) {
	s.asks++
	s.step(Asked{ID: s.asks, From: from, Question: q})
}

func (s *story) step(ev Event) {
	s.t.Helper()
	for _, a := range s.m.Step(s.now, s.Facts, ev) {
		s.begun = append(s.begun, a)
		id, within := outcome(a)
		if id == 0 {
			continue
		}
		if id <= s.last {
			s.t.Fatalf("%T has ID %d after %d", a, id, s.last)
		}
		s.last = id
		o := open{Action: a}
		if within > 0 {
			o.until = s.now.Add(within)
		}
		s.open = append(s.open, o)
	}
	if d := s.m.Deadline(); !d.IsZero() && !d.After(s.now) {
		s.t.Fatalf("the deadline %v is not after now, %v", d, s.now)
	}
}

// outcome returns the ID of an action, and how long it may take. 0: nothing comes of it, or it takes what it
// takes.
func outcome(a Action) (id uint64, within time.Duration) {
	switch a := a.(type) {
	case Ask:
		return a.ID, a.Within
	case Probe:
		return a.ID, a.Within
	case Pull:
		return a.ID, a.Within
	case Propose:
		return a.ID, a.Within
	case Verify:
		return a.ID, a.Within
	case Claim:
		return a.ID, 0
	case Grant:
		return a.ID, 0
	case Concede:
		return a.ID, 0
	}
	return 0, 0
}

// plain is an action without its ID, the time that it may take and how much must come of it, to compare.
func plain(a Action) Action {
	v := reflect.New(reflect.TypeOf(a)).Elem()
	v.Set(reflect.ValueOf(a))
	for _, name := range []string{"ID", "Within", "Whole", "Share", "Place", "Side"} {
		if f := v.FieldByName(name); f.IsValid() {
			f.SetZero()
		}
	}
	if word := v.FieldByName("Word"); word.IsValid() {
		word.FieldByName("Place").SetZero()
	}
	return v.Interface().(Action)
}

// does compares what was begun since it was called last. Of a Tell only the kind counts, and whether its text
// has the words of the one that is wanted; a Reply is wanted with or without its ID.
func (s *story) does(want ...Action) {
	s.t.Helper()
	got := slices.Clone(s.begun)
	s.begun = nil
	for i, a := range got {
		if tell, ok := a.(Tell); ok && i < len(want) {
			if w, ok := want[i].(Tell); ok && strings.Contains(tell.Text, w.Text) {
				tell.Text = w.Text
			}
			got[i] = tell
			continue
		}
		got[i] = plain(a)
	}
	if diff := cmp.Diff(want, got); diff != "" && (len(want) > 0 || len(got) > 0) {
		s.t.Fatalf("it does something else (-want +got):\n%s", diff)
	}
}

// find returns the place of the first action under way that is like the given one: of that type and, for an
// Ask, to that member; -1 if there is none.
func (s *story) find(like Action) int {
	return slices.IndexFunc(s.open, func(o open) bool {
		ask, ok := like.(Ask)
		return reflect.TypeOf(o.Action) == reflect.TypeOf(like) && (!ok || ask.To == o.Action.(Ask).To)
	})
}

// opened reports whether an action like the given one is under way.
func (s *story) opened(like Action) bool { return s.find(like) >= 0 }

// done gives the outcome of the first action under way that is like the given one.
func (s *story) done(like Action, d Done) {
	s.t.Helper()
	i := s.find(like)
	if i < 0 {
		s.t.Fatalf("no %T %+v is under way", like, like)
	}
	d.ID, _ = outcome(s.open[i].Action)
	s.open = slices.Delete(s.open, i, i+1)
	s.step(d)
}

// says is the answer of a member.
func (s *story) says(member string, word Attestation) {
	s.t.Helper()
	s.done(Ask{To: member}, Done{Word: word})
}

// reaches is what the segments answered.
func (s *story) reaches(segments ...Segment) {
	s.t.Helper()
	s.done(Probe{}, Done{Segments: segments})
}

// is has the keeper say another part, as after a claim.
func (s *story) is(p Part) {
	s.Keeper.Part = p
	s.look()
}

// takes has the keeper say that this director owns the group, and the old owner that it has let go.
func (s *story) takes() {
	s.member("d1").Part = Standby
	s.is(Owner)
}

// hasTaken has a planned move go as far as that the keeper has claimed the group and the log is told.
func (s *story) hasTaken() {
	s.t.Helper()
	s.claims()
	s.takes()
	s.done(claim, Done{})
	s.done(told, Done{})
}

// isNamed has the log name this director for the move that it wanted.
func (s *story) isNamed() {
	s.Log.Owner, s.Log.Epoch, s.Log.Intent = "d2", s.Log.Epoch+1, nil
	s.look()
}

// quiesces ends a story: nothing is under way, nothing more happens, and the machine wants nothing.
func (s *story) quiesces() {
	s.t.Helper()
	s.pass(10 * time.Second)
	s.does()
	if d := s.m.Deadline(); !d.IsZero() || len(s.open) > 0 || len(s.m.waiting) > 0 {
		s.t.Errorf("ten seconds later it waits until %v and for %d outcomes, and %d are under way", d, len(s.m.waiting), len(s.open))
	}
}

// hushes has no advert arrive any more on some routers, all if none is named.
func (s *story) hushes(routers ...string) {
	for _, r := range s.Keeper.Routers {
		if len(routers) == 0 || slices.Contains(routers, r.Name) {
			s.mute[r.Name] = true
		}
	}
}

// speaks has an advert arrive on all routers again.
func (s *story) speaks() {
	s.mute = map[string]bool{}
	for i := range s.Keeper.Routers {
		s.Keeper.Routers[i].Silent, s.Keeper.Routers[i].Age = false, 0
	}
	s.look()
}

// pass lets time pass, with all that comes due in it: a deadline of the machine, a router that becomes silent,
// an action whose time is over.
func (s *story) pass(d time.Duration) {
	s.t.Helper()
	for end := s.now.Add(d); s.now.Before(end); {
		next := end
		at := func(t time.Time) {
			if t.After(s.now) && t.Before(next) {
				next = t
			}
		}
		at(s.m.Deadline())
		for _, o := range s.open {
			at(o.until)
		}
		for _, r := range s.Keeper.Routers {
			if s.mute[r.Name] && !r.Silent {
				at(s.now.Add(s.Keeper.Interval*3/2 - r.Age))
			}
		}
		s.advance(next.Sub(s.now))
	}
}

func (s *story) advance(d time.Duration) {
	s.t.Helper()
	s.now = s.now.Add(d)
	for i := range s.Keeper.Routers {
		if r := &s.Keeper.Routers[i]; s.mute[r.Name] {
			r.Age += d
			r.Silent = r.Silent || s.Keeper.Part == Standby && r.Age >= s.Keeper.Interval*3/2
		}
	}
	for {
		i := slices.IndexFunc(s.open, func(o open) bool { return !o.until.IsZero() && !o.until.After(s.now) })
		if i < 0 {
			break
		}
		id, _ := outcome(s.open[i].Action)
		s.open = slices.Delete(s.open, i, i+1)
		s.step(Done{ID: id, Err: errLate})
	}
	s.look()
}
