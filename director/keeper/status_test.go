package keeper

import (
	"testing"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

func TestWhatCountsUpWhileAllIsWellMakesNoOtherStatus(t *testing.T) {
	status := func() Status {
		return Status{
			Time: time.Unix(1000, 0), Transitions: []Transition{{Seq: 1, Group: "g"}},
			Groups: []GroupStatus{{Name: "g", State: "backup", Routers: []RouterStatus{{Name: "r", Received: 1, Heard: &Heard{Priority: 100, Age: time.Second}}}}},
		}
	}
	for name, tt := range map[string]struct {
		change func(s *Status, r *RouterStatus)
		alike  bool
	}{
		"nothing":                {func(*Status, *RouterStatus) {}, true},
		"when it was taken":      {func(s *Status, _ *RouterStatus) { s.Time = time.Unix(1001, 0) }, true},
		"dropped":                {func(s *Status, _ *RouterStatus) { s.Drops = map[string]map[vrrp.Drop]uint64{"x": {}} }, true},
		"sent":                   {func(_ *Status, r *RouterStatus) { r.Sent = 1 }, true},
		"received":               {func(_ *Status, r *RouterStatus) { r.Received = 2 }, true},
		"when it was heard":      {func(_ *Status, r *RouterStatus) { r.Heard.Age = 0 }, true},
		"what was heard":         {func(_ *Status, r *RouterStatus) { r.Heard.Priority = 99 }, false},
		"that nothing was heard": {func(_ *Status, r *RouterStatus) { r.Heard = nil }, false},
		"silent":                 {func(_ *Status, r *RouterStatus) { r.Silent = true }, false},
		"contested":              {func(_ *Status, r *RouterStatus) { r.Contested = 1 }, false},
		"fault":                  {func(_ *Status, r *RouterStatus) { r.Fault = "cut" }, false},
		"state":                  {func(s *Status, _ *RouterStatus) { s.Groups[0].State = "active" }, false},
		"transition":             {func(s *Status, _ *RouterStatus) { s.Transitions = append(s.Transitions, Transition{Seq: 2}) }, false},
		"stopping":               {func(s *Status, _ *RouterStatus) { s.Stopping = true }, false},
		"no group":               {func(s *Status, _ *RouterStatus) { s.Groups = nil }, false},
	} {
		a, b := status(), status()
		tt.change(&b, &b.Groups[0].Routers[0])
		if got := a.Alike(b); got != tt.alike || b.Alike(a) != got {
			t.Errorf("%s: alike is %v", name, got)
		}
		if whole := status(); tt.alike && (whole.Groups[0].Routers[0].Received != 1 || a.Groups[0].Routers[0].Received != 1 || a.Time != whole.Time) {
			t.Errorf("%s: comparing changed it: %+v", name, a)
		}
	}
}
