package placement

import (
	"testing"
	"time"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// led is a leader with one group, of which d1 owns and drains.
type led struct {
	*Leader
	now time.Time
	log fsm.Ownership
}

func leads() *led {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	return &led{NewLeader("d2", ownership.GoneAfter, now), now, fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}}}
}

// decides is what is proposed after a while.
func (l *led) decides(after time.Duration) fsm.Command {
	l.now = l.now.Add(after)
	all := []Situation{{Group: "g", Log: l.log, Views: []View{
		{Name: "d1", Alive: true, Ready: true, Active: true, Draining: true, Epoch: 9}, {Name: "d2", Alive: true, Ready: true}, {Name: "d3", Alive: true, Ready: true},
	}}}
	l.Look(l.now, all, map[string]time.Duration{"d1": 0, "d3": 0})
	return l.Decide(l.now, all[0])
}

func TestAMoveThatCameToNothingIsWantedAgainAfterAWhile(t *testing.T) {
	l := leads()
	move, ok := l.decides(0).(fsm.SetIntent)
	if !ok || move.Intent.To != "d2" {
		t.Fatalf("a drain: %+v", move)
	}
	l.log.Intent = &move.Intent
	if got := l.decides(time.Second); got != nil {
		t.Errorf("while it is under way: %+v", got)
	}
	l.log.Intent = nil // d2 could not
	if got := l.decides(time.Second); got != nil {
		t.Errorf("right after it came to nothing: %+v", got)
	}
	if got := l.decides(moveAgain - 1); got != nil {
		t.Errorf("a moment before it is time: %+v", got)
	}
	if _, ok := l.decides(1).(fsm.SetIntent); !ok {
		t.Errorf("after %v it is not wanted again", moveAgain)
	}
}

func TestALeaderWaitsForAMoveThatItFinds(t *testing.T) {
	l := leads()
	l.log.Intent = &fsm.Intent{To: "d2", Epoch: 5}
	for _, after := range []time.Duration{time.Hour, IntentLife} {
		if got := l.decides(after); got != nil {
			t.Fatalf("%v later: %+v", after, got)
		}
	}
	if _, ok := l.decides(1).(fsm.DropIntent); !ok {
		t.Errorf("it is not ended %v after it was seen", IntentLife)
	}
}

func TestTheOrderOfSuccessorsIsLeftAloneForAWhile(t *testing.T) {
	l := leads()
	l.log.Intent, l.log.Owner, l.log.Order = nil, "", nil
	order := func(after time.Duration) bool {
		l.now = l.now.Add(after)
		all := []Situation{{Group: "g", Log: l.log, Views: []View{{Name: "d2", Alive: true, Ready: true}}}}
		l.Look(l.now, all, nil)
		_, ok := l.Decide(l.now, all[0]).(fsm.SetOrder)
		return ok
	}
	if !order(0) || order(orderAgain-1) || !order(1) {
		t.Error("the order is not set at once, then not before a second, then again")
	}
}

func TestWhoLostAGroupIsNamedWithTheReason(t *testing.T) {
	for _, tt := range []struct {
		name  string
		looks []View // of d1, which the log names
		want  string
	}{
		{"a fault that lasts", []View{{Alive: true, Active: true}, {Alive: true, Fault: "link wan down"}}, "d1 cannot own it: link wan down; VRRP elected it"},
		{"a fault that came and went", []View{{Alive: true, Fault: "link wan down"}, {Alive: true, Yielded: "a fault, which is over"}}, "d1 lost it: link wan down; VRRP elected it"},
		{"a better advert", []View{{Alive: true, Yielded: "better advert from 192.0.2.3"}}, "d1 lost it: better advert from 192.0.2.3; VRRP elected it"},
		{"a fault of before it was Active again", []View{{Alive: true, Fault: "link wan down"}, {Alive: true, Active: true}, {Alive: true}}, "VRRP elected it"},
		{"it is gone", []View{{Alive: true, Fault: "link wan down"}, {}}, "d1 is gone, VRRP elected it"},
		{"nothing is known", []View{{Alive: true}}, "VRRP elected it"},
	} {
		l := leads()
		l.log.Intent = nil
		for i, d1 := range tt.looks {
			d1.Name = "d1"
			all := []Situation{{Group: "g", Log: l.log, Views: []View{d1, {Name: "d3", Alive: true, Ready: true, Active: i == len(tt.looks)-1, Epoch: 4}}}}
			l.Look(l.now, all, nil)
			c, ok := l.Decide(l.now, all[0]).(fsm.SetOwner)
			if last := i == len(tt.looks)-1; ok != last || last && c.Reason != tt.want {
				t.Errorf("%s, look %d: %+v, want %q", tt.name, i, c, tt.want)
			}
		}
	}
}

// refuses has whom the group is to move to not take it; it returns who that is, "" if it is to move nowhere.
func (l *led) refuses(after time.Duration) string {
	move, ok := l.decides(after).(fsm.SetIntent)
	if !ok {
		return ""
	}
	l.log.Intent = &move.Intent
	l.decides(time.Second)
	l.log.Intent = nil
	l.decides(0)
	return move.Intent.To
}

// A successor may not take a group for a reason that the leader does not see, as that it is cut off on a segment.
func TestAMoveThatCameToNothingIsTriedToTheNextOne(t *testing.T) {
	l := leads()
	for i, want := range []string{"d2", "d3", "d2", "d2"} { // both have refused: the order counts again
		if got := l.refuses(moveAgain); got != want {
			t.Errorf("move %d is to %q, want %q", i, got, want)
		}
	}
	l.now = l.now.Add(passOver)
	if got := l.refuses(0); got != "d2" {
		t.Errorf("%v later it is to %q", passOver, got)
	}
	if got := l.refuses(moveAgain); got != "d3" {
		t.Errorf("the next one is to %q", got)
	}
}

func TestAWishIsForTheNextOneWhereTheBestHasNotTakenTheGroup(t *testing.T) {
	views := func(refused ...string) []View {
		all := []View{{Name: "d1", Alive: true, Ready: true, Active: true}, {Name: "d2", Alive: true, Ready: true, Score: 5}, {Name: "d3", Alive: true, Ready: true, Score: 3}}
		for _, name := range refused {
			find(all, name).Refused = "lately"
		}
		return all
	}
	for name, p := range map[string]fsm.Placement{
		"score":  {Policy: fsm.Score},
		"pinned": {Policy: fsm.Pinned, Directors: []string{"d2", "d3", "d1"}},
	} {
		for _, tt := range []struct {
			refused []string
			want    string
		}{{nil, "d2"}, {[]string{"d2"}, "d3"}, {[]string{"d3"}, "d2"}, {[]string{"d2", "d3"}, "d2"}} {
			s := Situation{Group: "g", Log: fsm.Ownership{Owner: "d1", Epoch: 4, Order: []string{"d2", "d3"}}, Placement: p, Views: views(tt.refused...)}
			if got := Wished(s); got.To != tt.want {
				t.Errorf("%s, %v refused: %+v, want %s", name, tt.refused, got, tt.want)
			}
		}
	}
}

// A sync group that is made or dissolved is another group, of routers that run on where they are.
func TestAGroupOfRoutersThatWereAnothersIsSaidToStayOrWhoseItWas(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for want, before := range map[string][]string{
		"regrouped, stays with d1":                       {"d1"},
		"regrouped, was with d2; VRRP elected it":        {"d2"},
		"regrouped, was with d2 and d1; VRRP elected it": {"d2", "d1"},
		"first owner, elected by VRRP":                   nil,
	} {
		l := NewLeader("d2", ownership.GoneAfter, now)
		all := []Situation{{
			Group: "gateway", Log: fsm.Ownership{Epoch: 7}, Before: before,
			Views: []View{{Name: "d1", Alive: true, Ready: true, Active: true, Epoch: 9}, {Name: "d2", Alive: true, Ready: true}},
		}}
		l.Look(now, all, nil)
		if got, ok := l.Decide(now, all[0]).(fsm.SetOwner); !ok || got.Reason != want || got.Owner != "d1" {
			t.Errorf("before %q: %+v, want %q", before, got, want)
		}
	}
}

// How often members say that they are there is set, and who is not heard for as long as several of these may take is silent: the
// agent says for how long, as who decides on the spot whether an owner is dead goes by.
func TestWhoIsSilentForAsLongAsOneThatIsTakenForDeadIsUnheard(t *testing.T) {
	for _, gone := range []time.Duration{ownership.GoneAfter, 3 * time.Second} {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		all := []Situation{{Group: "g", Views: []View{{Name: "d1"}, {Name: "d2"}, {Name: "d3"}}}}
		NewLeader("d1", gone, now).Look(now, all, map[string]time.Duration{"d2": gone - 1, "d3": gone})
		for i, want := range []bool{false, false, true} {
			if v := all[0].Views[i]; v.Unheard != want {
				t.Errorf("gone after %v: %s is unheard: %v", gone, v.Name, v.Unheard)
			}
		}
	}
}
