package keeper

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/quorate/quorate/director/vrrp"
)

func TestWhatCountsUpWhileAllIsWellMakesNoOtherStatus(t *testing.T) {
	status := func() Status {
		return Status{
			Time: time.Unix(1000, 0), Transitions: []Transition{{Seq: 1, Group: "g"}},
			Drops:  map[string]map[vrrp.Drop]uint64{"x": {"a": 3}},
			Groups: []GroupStatus{{Name: "g", State: "backup", Routers: []RouterStatus{{Name: "r", Received: 1, Drops: map[vrrp.Drop]uint64{"a": 3}, Notices: map[vrrp.Notice]uint64{"a": 3}, Heard: &Heard{Priority: 100, Age: time.Second}}}}},
		}
	}
	for name, tt := range map[string]struct {
		change func(s *Status, r *RouterStatus)
		alike  bool
	}{
		"nothing":                {func(*Status, *RouterStatus) {}, true},
		"when it was taken":      {func(s *Status, _ *RouterStatus) { s.Time = time.Unix(1001, 0) }, true},
		"dropped again":          {func(s *Status, _ *RouterStatus) { s.Drops["x"]["a"] = 9 }, true},
		"dropped otherwise":      {func(s *Status, _ *RouterStatus) { s.Drops["x"]["b"] = 1 }, false},
		"dropped elsewhere":      {func(s *Status, _ *RouterStatus) { s.Drops["y"] = map[vrrp.Drop]uint64{"a": 1} }, false},
		"refused again":          {func(_ *Status, r *RouterStatus) { r.Drops["a"] = 9 }, true},
		"refused otherwise":      {func(_ *Status, r *RouterStatus) { r.Drops["b"] = 1 }, false},
		"noticed again":          {func(_ *Status, r *RouterStatus) { r.Notices["a"] = 9 }, true},
		"noticed otherwise":      {func(_ *Status, r *RouterStatus) { r.Notices["b"] = 1 }, false},
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

// A field that is new is to be said of here: whether another value of it makes another status.
func TestEachFieldOfAStatusMakesAnotherOrDoesNot(t *testing.T) {
	counts := map[string]bool{"Status.Time": true, "RouterStatus.Sent": true, "RouterStatus.Received": true, "Heard.Age": true}
	news := map[string]bool{}
	for owner, names := range map[string][]string{
		"Status":       {"Groups", "Transitions", "Drops", "Stopping", "Record"},
		"GroupStatus":  {"Name", "State", "Epoch", "Priority", "Claimed", "Since", "Reason", "Changes", "Routers"},
		"RouterStatus": {"Name", "VRID", "Interface", "Source", "Subnets", "Fault", "Present", "Heard", "Silent", "Contested", "Contest", "Restored", "Drops", "Notices", "Error"},
		"Heard":        {"Source", "Priority", "Member", "Interval"},
	} {
		for _, name := range names {
			news[owner+"."+name] = true
		}
	}
	status := func() Status {
		return Status{Groups: []GroupStatus{{Routers: []RouterStatus{{Heard: &Heard{}}}}}}
	}
	look := func(part func(s *Status) any) {
		s := status()
		fields := reflect.TypeOf(part(&s)).Elem()
		for i := range fields.NumField() {
			name := fields.Name() + "." + fields.Field(i).Name
			if counts[name] == news[name] {
				t.Errorf("%s is a new field: say here, and in Status.lasting, whether another value of it is another status", name)
				continue
			}
			other := status()
			change(t, name, reflect.ValueOf(part(&other)).Elem().Field(i))
			if got := status().Alike(other); got != counts[name] {
				t.Errorf("with another %s it is alike: %v", name, got)
			}
			delete(counts, name)
			delete(news, name)
		}
	}
	look(func(s *Status) any { return s })
	look(func(s *Status) any { return &s.Groups[0] })
	look(func(s *Status) any { return &s.Groups[0].Routers[0] })
	look(func(s *Status) any { return s.Groups[0].Routers[0].Heard })
	if len(counts)+len(news) > 0 {
		t.Errorf("there is no field %v %v", counts, news)
	}
}

// change gives a field another value.
func change(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
	case v.Type() == reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(netip.IPv6Loopback()))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.String:
		v.SetString("another")
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	case v.Kind() == reflect.Pointer:
		v.SetZero()
	case v.Kind() == reflect.Slice:
		v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
	case v.Kind() == reflect.Map:
		m := reflect.MakeMap(v.Type())
		m.SetMapIndex(reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem())
		v.Set(m)
	default:
		t.Fatalf("%s is of a kind that this test cannot change", name)
	}
}
