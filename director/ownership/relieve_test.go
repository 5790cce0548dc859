package ownership

import (
	"slices"
	"testing"
	"time"
)

// later has d3 be the first successor and this director the next, while the owner is cut off; it returns after how long
// this director asks the owner to let go, 0 if it does not.
func later(t *testing.T, edit func(*story)) time.Duration {
	t.Helper()
	s := newStory(t)
	s.Log.Order = []string{"d3", "d2"}
	edit(s)
	s.isSilent()
	for begin := s.now; s.now.Sub(begin) < 10*time.Second; s.pass(100 * time.Millisecond) {
		if s.opened(Probe{}) {
			s.isCutOff()
		}
		if s.opened(let) {
			return s.now.Sub(begin)
		}
	}
	return 0
}

func TestWhoComesNextRelievesAnOwnerThatTheFirstDoesNot(t *testing.T) {
	first := later(t, func(s *story) { s.Log.Order = []string{"d2", "d3"} })
	next := later(t, func(*story) {})
	if first == 0 || next < first+time.Second || next > first+3*time.Second {
		t.Errorf("the first has it let go after %v, the next after %v", first, next)
	}
}

func TestWhoMustNotOwnTheGroupRelievesNobody(t *testing.T) {
	for name, edit := range map[string]func(*story){
		"it is not ready": func(s *story) { s.Ready = false },
		"it drains":       func(s *story) { s.Drains = true },
	} {
		t.Run(name, func(t *testing.T) {
			if after := later(t, edit); after != 0 {
				t.Errorf("it does after %v", after)
			}
		})
	}
}

// letsTheTimer reports whether this director lets its timer have its way within a time, in which the owner is cut off and is
// not to be asked to let go.
func (s *story) letsTheTimer(within time.Duration) bool {
	s.t.Helper()
	serves := false
	for begin := s.now; s.now.Sub(begin) < within; s.pass(100 * time.Millisecond) {
		if s.opened(Probe{}) {
			s.isCutOff()
		}
		serves = serves || slices.ContainsFunc(s.begun, func(a Action) bool { return a == HoldTimer{} })
		if s.opened(let) {
			s.t.Fatal("the owner is asked to let go")
		}
	}
	return serves
}

// Somebody must serve: who drains does, until the first successor is heard again.
func TestWhoMustNotOwnTheGroupServesWhereTheFirstSuccessorIsSilent(t *testing.T) {
	for _, unheard := range []time.Duration{Mute - 1, Mute} {
		s := newStory(t)
		s.Log.Order = []string{"d3", "d2"}
		s.Drains = true
		s.member("d3").Unheard = unheard
		s.isSilent()
		if serves := s.letsTheTimer(10 * time.Second); serves != (unheard >= Mute) {
			t.Errorf("the first successor is silent for %v: the timer has its way: %v", unheard, serves)
		}
	}
}

// The timer is let go since the owner is cut off. Another that has taken the group since is asked whether it serves.
func TestTheTimerIsHeldAgainWhereAnotherTakesTheGroupAfterItWasLetGo(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(d3 *Member)
		held bool
	}{
		"another takes it": {func(d3 *Member) { d3.Part, d3.Unheard = Owner, 0 }, true},
		"another is heard again, and does not own it": {func(d3 *Member) { d3.Unheard = 0 }, false},
		"it takes it where this one does not reach it": {func(d3 *Member) {
			d3.Part, d3.Unheard, d3.Unreached = Owner, 0, []time.Duration{time.Minute, time.Minute}
		}, false},
	} {
		s := newStory(t)
		s.Log.Order = []string{"d3", "d2"}
		s.Drains = true
		s.member("d3").Unheard = Mute
		s.isSilent()
		if !s.letsTheTimer(10 * time.Second) {
			t.Fatal("the timer is held for an owner that is cut off")
		}
		s.begun = nil
		tt.edit(s.member("d3"))
		s.look()
		held := slices.ContainsFunc(s.begun, func(a Action) bool { return a == HoldTimer{surveyLimit} })
		if held != tt.held {
			t.Errorf("%s: the timer is held: %v, %+v", name, held, s.begun)
		}
	}
}

// One that drains and serves would have to be moved from at once.
func TestWhoMustNotOwnTheGroupLeavesItToALaterSuccessorThatIsHeard(t *testing.T) {
	for name, tt := range map[string]struct {
		edit   func(d4 *Member)
		serves bool
	}{
		"it is heard":                      {func(*Member) {}, false},
		"it is silent, too":                {func(d4 *Member) { d4.Unheard = Mute }, true},
		"it could not own it":              {func(d4 *Member) { d4.Ready = false }, true},
		"it is on another side of the cut": {func(d4 *Member) { d4.Unreached = []time.Duration{time.Minute, time.Minute} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Log.Order = []string{"d3", "d2", "d4"}
			s.Drains = true
			s.member("d3").Unheard = Mute
			d4 := *s.member("d3")
			d4.Name, d4.Unheard = "d4", 0
			tt.edit(&d4)
			s.isSilent()
			s.Members = append(s.Members, d4)
			if got := s.letsTheTimer(10 * time.Second); got != tt.serves {
				t.Errorf("the timer has its way: %v", got)
			}
		})
	}
}

// The owner is cut off, and another one has frozen: by its last report it owns the group, too. Its kernel may still answer.
func TestWhoMustNotOwnTheGroupServesWhereOneOwnerIsCutOffAndTheOtherSilent(t *testing.T) {
	for name, tt := range map[string]struct {
		unheard time.Duration
		segment Segment
		serves  bool
	}{
		"it is heard":                     {0, Segment{}, false},
		"it is silent":                    {GoneAfter, Segment{}, true},
		"its kernel answers":              {GoneAfter, Segment{Serves: "d3"}, false},
		"its kernel answers, virtual MAC": {GoneAfter, Segment{Virtual: true}, false},
		"another's kernel answers":        {GoneAfter, Segment{Serves: "d4"}, true},
	} {
		s := newStory(t)
		s.Drains = true
		s.member("d3").Part, s.member("d3").Unheard = Owner, tt.unheard
		s.isSilent()
		tt.segment.Router, tt.segment.Reached = "in", []string{"d3"}
		serves := false
		for end := s.now.Add(5 * time.Second); s.now.Before(end); s.pass(100 * time.Millisecond) {
			if s.opened(Probe{}) {
				s.reaches(tt.segment)
				s.says("d1", Attestation{Owns: true})
			}
			serves = serves || slices.ContainsFunc(s.begun, func(a Action) bool { return a == HoldTimer{} })
			s.begun = nil
		}
		if serves != tt.serves {
			t.Errorf("%s: the timer has its way: %v", name, serves)
		}
	}
}

// Who else owns the group by its report serves here, unless it is elsewhere or has said since that it does not.
func TestAnotherOwnerThatServesNobodyHereIsNotWaitedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		edit     func(*story)
		unserved bool
	}{
		"there is none":                      {func(*story) {}, true},
		"it is here":                         {owned, false},
		"it is elsewhere":                    {func(s *story) { owned(s); s.member("d3").Unreached = []time.Duration{0, GoneAfter} }, true},
		"it is heard":                        {func(s *story) { s.Keeper.Routers[0].Heard = "d3" }, false},
		"its keeper does not answer":         {func(s *story) { owned(s); s.m.quiet.denies = []string{"d3"} }, true},
		"it has reported since it was asked": {func(s *story) { owned(s); s.m.quiet.denies, s.m.quiet.owned = []string{"d3"}, nil }, false},
		"one is here, and one does not answer": {func(s *story) {
			owned(s)
			s.m.quiet.denies, s.m.quiet.owned = []string{"d3"}, []string{"d3", "d4"}
			four := *s.member("d3")
			four.Name = "d4"
			s.Members = append(s.Members, four)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Routers[1].Silent = true
			tt.edit(s)
			st := &step{Machine: s.m, Facts: s.Facts, now: s.now}
			if got := st.unserved("d1"); got != tt.unserved {
				t.Errorf("nobody else serves: %v", got)
			}
		})
	}
}

func owned(s *story) { s.member("d3").Part, s.m.quiet.owned = Owner, []string{"d3"} }

func TestWhoAnswersThatItOwnsNothingIsBelievedUnlessItsKernelServes(t *testing.T) {
	words := map[string]Attestation{"owns": {Owns: true}, "frozen": {}, "serves": {}}
	for name, seg := range map[string]Segment{
		"its MAC":       {Serves: "serves", Reached: []string{"owns", "frozen", "serves"}},
		"a virtual MAC": {Virtual: true, Reached: []string{"owns", "serves"}},
	} {
		if got := denials(words, map[string]Segment{"in": seg, "out": {}}); !slices.Equal(got, []string{"frozen"}) {
			t.Errorf("by %s: %v", name, got)
		}
	}
}

// What the timer was left its way for is of before: the cut may end before it fires.
func TestTheTimerIsHeldAgainOnceAnOwnerThatWasCutOffIsReached(t *testing.T) {
	serves := func(s *story) {
		s.says("d3", Attestation{})
		s.reaches(Segment{Router: "in", Reached: []string{"d1", "d3"}, Serves: "d1"})
	}
	owns := func(s *story) { s.says("d1", Attestation{Owns: true}) }
	for name, tt := range map[string]struct {
		unreached time.Duration
		answers   []func(*story)
		want      []Action
	}{
		"it says that it owns the group":        {0, []func(*story){owns}, []Action{HoldTimer{surveyLimit}}},
		"it was reached until a moment ago":     {GoneAfter - 1, []func(*story){owns}, []Action{HoldTimer{surveyLimit}}},
		"it says so, and is cut off still":      {GoneAfter, []func(*story){owns}, nil},
		"it is not known whether it is reached": {-1, []func(*story){owns}, nil},
		"it does not own the group":             {0, []func(*story){func(s *story) { s.says("d1", Attestation{}) }}, nil},
		"it is another that owns it":            {0, []func(*story){func(s *story) { s.says("d3", Attestation{Owns: true}) }}, nil},
		"the segment says that it serves":       {GoneAfter, []func(*story){owns, serves}, []Action{guards("its adverts do not arrive"), HoldTimer{holdFor}}},
		"the segment says that it does not":     {GoneAfter, []func(*story){(*story).isCutOff}, []Action{guards("no director is fit to succeed it")}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Drains, s.member("d3").Draining = true, true
			s.member("d1").Unreached[1] = time.Minute
			s.isSilent()
			for !slices.ContainsFunc(s.begun, func(a Action) bool { return a == HoldTimer{} }) {
				s.pass(surveyLimit * 3 / 4) // as long as the dead may take
				if s.opened(Probe{}) {
					s.isCutOff()
				}
			}
			for left := s.now.Add(s.Keeper.Interval); !s.opened(Probe{}); s.pass(10 * time.Millisecond) {
				if s.now.After(left) {
					t.Fatal("nobody is asked anew before the timer fires")
				}
			}
			s.begun = nil
			s.member("d1").Unreached[1] = tt.unreached
			for _, answer := range tt.answers {
				answer(s)
			}
			s.does(tt.want...)
		})
	}
}

// asksToLet reports whether the owner is asked to let go just now.
func (s *story) asksToLet() bool {
	return slices.ContainsFunc(s.open, func(o open) bool {
		ask, ok := o.Action.(Ask)
		return ok && ask.Question.Kind == Let
	})
}

// letsTimeOut has this director find the owner cut off, by what d3 says as well, and wait for its answer in vain.
func (s *story) letsTimeOut(d3 Attestation) {
	s.t.Helper()
	for begin := s.now; !s.asksToLet(); s.pass(10 * time.Millisecond) {
		if s.now.Sub(begin) > 5*time.Second {
			s.t.Fatal("it does not ask the owner to let go")
		}
		if s.opened(Probe{}) {
			s.reaches(Segment{Router: "in", Reached: []string{"d3"}})
			s.says("d3", d3)
		}
	}
	s.begun = nil
	for s.asksToLet() {
		s.pass(10 * time.Millisecond)
	}
}

// apart has the owner be heard on the first router only, and its control not at all.
func (s *story) apart() {
	s.member("d1").Unheard, s.member("d1").Part, s.member("d1").Alive = time.Minute, Standby, false
	s.Keeper.Part, s.Keeper.Routers[0].Heard = Standby, "d1"
	s.hushes("in")
	s.look()
}

// Two hear each other on one segment, and neither reaches the other on another, nor over the cluster port: each takes the
// other for one that is cut off. Who was claimed from does not claim back, unless a majority hears nothing of the other's
// agent: then that one does not claim back.
func TestTwoThatCannotAskEachOtherDoNotClaimInTurns(t *testing.T) {
	for name, tt := range map[string]struct {
		claims bool // the other took the group by a claim
		whole  bool // and was heard on both segments after that
		mute   bool // and d3 hears nothing of its agent either
		both   bool // nor of this director's
		voters int
		again  bool
	}{
		"it was claimed from":                   {claims: true, voters: 3},
		"it has heard the other on both since":  {claims: true, whole: true, voters: 3, again: true},
		"it has lost it otherwise":              {voters: 3, again: true},
		"a majority hears nothing of the other": {claims: true, mute: true, voters: 3, again: true},
		"no majority does":                      {claims: true, mute: true, voters: 4},
		"one of them hears neither":             {claims: true, mute: true, both: true, voters: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			s.Keeper.Routers[1].Age = time.Minute
			s.owns()
			s.pass(time.Second)
			s.Keeper.Routers[0].Claims = tt.claims
			s.apart()
			if tt.whole {
				s.Keeper.Routers[1].Heard = "d1"
				s.speaks()
				s.apart()
			}
			d3 := Attestation{}
			if tt.mute {
				d3.Mute = []string{"d1"}
			}
			if tt.both {
				d3.Mute = append(d3.Mute, s.Self)
			}
			s.Voters = tt.voters
			s.letsTimeOut(d3)
			if tt.again {
				s.does(guards("claimed from"), Claim{Priority: ClaimPriority(s.toBeat())})
				return
			}
			s.does(HoldTimer{holdFor})
		})
	}
}
