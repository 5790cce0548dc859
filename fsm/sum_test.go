package fsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"testing"
	"time"
)

// TestTheHashOfLevel2IsThatOfOlderVersions: they have no sum, and a cluster is upgraded one director after another. What
// is in the golden file comes from such a version.
func TestTheHashOfLevel2IsThatOfOlderVersions(t *testing.T) {
	var all bytes.Buffer
	for _, s := range []State{play(t, changes()), play(t, append([]Command{level2()}, requests()...))} {
		fmt.Fprintln(&all, s.Hash())
		var b bytes.Buffer
		if err := WriteSnapshot(&b, s); err != nil {
			t.Fatal(err)
		}
		back, err := ReadSnapshot(&b)
		if err != nil || back.Hash() != s.Hash() || back.Verify() != nil {
			t.Errorf("the state that was written and read has the hash %s, not %s: %v", back.Hash(), s.Hash(), err)
		}
	}
	golden(t, "hash-level2.txt", all.Bytes())
}

// TestTheSumIsKeptThroughAnyChanges edits a configuration at random and demands after each entry what adding all up
// anew gives: of refused commands too, and of what makes a state without [Apply].
func TestTheSumIsKeptThroughAnyChanges(t *testing.T) {
	s := play(t, changes())
	for i := range 300 {
		name := fmt.Sprint("s", i*7%11)
		svc := articleConfig().Services.Of("web")
		svc.Name, svc.Servers[0].Weight = name, uint32(i)
		d := Delta{Services: map[string]*Service{name: &svc}}
		if i%5 == 0 {
			d.Services[fmt.Sprint("s", i%11)] = nil
		}
		key := ServerKey{name, svc.Servers[i%2].Address}
		for _, c := range []Command{
			Once{Request: fmt.Sprint("r", i), Command: ChangeConfig{Base: s.Revision, Delta: d, Returns: true}},
			SetVerdicts{Verdicts: map[ServerKey]Verdict{key: {Up, fmt.Sprint(i)}, web11: {Down, "x"}}},
			ChangeConfig{Base: 1, Delta: d}, // refused
		} {
			next, _, _ := Apply(s, s.Index+1, c)
			if err := next.Verify(); err != nil {
				t.Fatalf("change %d, %s: %v", i, c.kind(), err)
			}
			s = next
		}
		if i%100 == 50 {
			s, _, _ = Apply(s, s.Index+1, renew(s))
		}
	}
	r := Recovered(s, Recovery{ClusterID: "c1", Index: s.Index + RecoveryGap}, s.Members["d1"])
	if r.Verify() != nil || r.Hash() == s.Hash() {
		t.Error("a recovered state has no sum of its own")
	}
}

func TestAByteThatFlipsIsFoundByTheScrubAndIsNotWritten(t *testing.T) {
	s := play(t, changes())
	before := s.Hash()
	s.Config.Services.Of("web").Servers[0].Weight ^= 4 // in the memory that all states share
	next, _, err := Apply(s, s.Index+1, SetDraining{Name: "d1", Draining: true})
	if err != nil || next.Hash() == before {
		t.Fatalf("what came after was not applied: %v", err)
	}
	if err := next.Verify(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("verified: %v", err)
	}
	var b bytes.Buffer
	if err := WriteSnapshot(&b, next); !errors.Is(err, ErrCorrupt) || b.Len() > 0 {
		t.Errorf("%d bytes of it were written: %v", b.Len(), err)
	}
	s.Config.Services.Of("web").Servers[0].Weight ^= 4
	if err := next.Verify(); err != nil {
		t.Errorf("flipped back: %v", err)
	}
}

func TestAListThatDidNotChangeIsNotLookedInto(t *testing.T) {
	past := []Past{{Revision: 1}, {Revision: 2}}
	looked := 0
	key := func(p Past) string { looked++; return p.key() }
	if d := ofList("revision", past, past, key, Past.same); d != (sum{}) || looked > 0 {
		t.Errorf("%v after %d looks", d, looked)
	}
	for _, other := range [][]Past{past[:1], past[1:], {{Revision: 1}, {Revision: 3}}, nil} {
		if d := ofList("revision", past, other, key, Past.same); d == (sum{}) {
			t.Errorf("%v is the same as %v", other, past)
		}
	}
	if d := ofList("revision", past, slices.Clone(past), key, Past.same); d != (sum{}) {
		t.Errorf("a copy is another: %v", d)
	}
}

// TestRequestsThatAreForgottenLeaveTheSum makes more than are kept, and looks at each state, also at one that another came
// of before.
func TestRequestsThatAreForgottenLeaveTheSum(t *testing.T) {
	s := play(t, append([]Command{level2()}, requests()...))
	for i := range requestsKept + 20 {
		next, _, err := Apply(s, s.Index+1, Once{Request: fmt.Sprint("r", i), Command: SetDraining{Name: "d1", Draining: i%2 == 0}})
		tried, _, errTried := Apply(s, s.Index+1, Once{Request: fmt.Sprint("t", i), Command: SetDraining{Name: "d1", Draining: true}})
		if err != nil || errTried != nil {
			t.Fatal(err, errTried)
		}
		if err := errors.Join(next.Verify(), tried.Verify(), s.Verify()); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		s = next
	}
	if s.Forgotten == 0 || s.Requests.Len() != requestsKept {
		t.Errorf("%d are kept, and what is forgotten is %d", s.Requests.Len(), s.Forgotten)
	}
}

// TestEachFieldOfTheStateIsInTheHash changes every value that a state can hold, one after the other.
func TestEachFieldOfTheStateIsInTheHash(t *testing.T) {
	var s, was State // in memory of their own
	for _, one := range []*State{&s, &was} {
		fill(reflect.ValueOf(one).Elem(), 0)
		fill(reflect.ValueOf(&one.secrets).Elem(), 0)
	}
	for _, level := range []int{1, LevelSum} {
		s.Level, was.Level = level, level
		sealed, before := s.Sealed(), was.Sealed()
		seen := map[string]string{sealed.Hash(): "no change"}
		values := 0
		check := func(path string) {
			values++
			changed := s.Sealed()
			if was, there := seen[changed.Hash()]; there {
				t.Errorf("level %d: with another %s the hash is that of %s", level, path, was)
			}
			seen[changed.Hash()] = path
			if same := sealed.summed().total == changed.summed().total; same {
				t.Errorf("level %d: with another %s the sum is the same", level, path)
			}
			kept := s
			if kept.keep(&before); kept.kept.total != changed.kept.total {
				t.Errorf("level %d: with another %s the sum that is kept is not that of all", level, path)
			}
		}
		alter(reflect.ValueOf(&s).Elem(), "State", check)
		alter(reflect.ValueOf(&s.secrets).Elem(), "State.secrets", check)
		if values < 150 {
			t.Errorf("only %d values were changed", values)
		}
	}
}

// TestAFieldThatChangesIsSeenThoughAllElseIsShared gives a state another value in one field and shares all others with
// the state before, as commands do.
func TestAFieldThatChangesIsSeenThoughAllElseIsShared(t *testing.T) {
	var s State
	fill(reflect.ValueOf(&s).Elem(), 0)
	fill(reflect.ValueOf(&s.secrets).Elem(), 0)
	s.Level = LevelSum
	before := s.Sealed()
	var next State
	for _, part := range []reflect.Value{reflect.ValueOf(&next).Elem(), reflect.ValueOf(&next.secrets).Elem()} {
		for i := range part.NumField() {
			if !part.Type().Field(i).IsExported() {
				continue
			}
			next = before
			part.Field(i).SetZero()
			next.keep(&before)
			if err := next.Verify(); err != nil || next.kept.total == before.kept.total {
				t.Errorf("%s is another, and the sum does not say so: %v", part.Type().Field(i).Name, err)
			}
		}
	}
}

// whole types, of which the parts are nobody's business: a value, and others.
var opaque = map[reflect.Type][]any{
	reflect.TypeFor[time.Time]():      {noon, noon.Add(time.Second)},
	reflect.TypeFor[netip.Addr]():     {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
	reflect.TypeFor[netip.AddrPort](): {netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("192.0.2.1:81")},
	reflect.TypeFor[Requests](): {
		Requests{[]Request{{"a", 1}}, []Request{{"b", 2}}}, Requests{[]Request{{"c", 1}}, []Request{{"b", 2}}}, Requests{[]Request{{"a", 1}}, []Request{{"c", 2}}},
		Requests{nil, []Request{{"b", 2}}}, Requests{[]Request{{"a", 1}}, nil},
	},
	reflect.TypeFor[netip.Prefix](): {netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("192.0.2.1/25")},
}

// plainly gives what stands for a map of ours a plain one, and takes it back.
func plainly(v reflect.Value) (plain reflect.Value, back func()) {
	switch m := v.Addr().Interface().(type) {
	case *Map[Service]:
		all := maps.Collect(m.All())
		return reflect.ValueOf(&all).Elem(), func() { *m = MapOf(all) }
	case *Verdicts:
		all := maps.Collect(m.services.All())
		return reflect.ValueOf(&all).Elem(), func() { *m = Verdicts{MapOf(all)} }
	}
	return v, func() {}
}

// fill puts something into every exported field, one element into every slice and map.
func fill(v reflect.Value, depth int) {
	if o, ok := opaque[v.Type()]; ok {
		v.Set(reflect.ValueOf(o[0]))
		return
	}
	v, back := plainly(v)
	defer back()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), depth+1)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, depth+1)
		fill(elem, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, elem)
	case reflect.String:
		v.SetString("a")
	case reflect.Bool:
		v.SetBool(true)
	default:
		if v.CanInt() {
			v.SetInt(1)
		} else {
			v.SetUint(1)
		}
	}
}

// alter changes each value in v, calls check, and puts it back.
func alter(v reflect.Value, path string, check func(string)) {
	try := func(other reflect.Value) {
		was := reflect.New(v.Type()).Elem()
		was.Set(v)
		v.Set(other)
		check(path)
		v.Set(was)
	}
	if o, ok := opaque[v.Type()]; ok {
		for _, other := range o[1:] {
			try(reflect.ValueOf(other))
		}
		return
	}
	v, back := plainly(v)
	ours := check
	check = func(path string) {
		back()
		ours(path)
	}
	defer back()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				alter(v.Field(i), path+"."+f.Name, check)
			}
		}
	case reflect.Pointer:
		if path != "State.Verdicts{}[]" { // each is there
			try(reflect.Zero(v.Type()))
		}
		alter(v.Elem(), path, check)
	case reflect.Slice:
		if path != "State.Verdicts{}" { // a service without verdicts is none
			try(reflect.Zero(v.Type()))
		}
		alter(v.Index(0), path+"[]", check)
	case reflect.Map:
		try(reflect.Zero(v.Type()))
		for _, k := range slices.Clone(v.MapKeys()) {
			elem := reflect.New(v.Type().Elem()).Elem()
			elem.Set(v.MapIndex(k))
			alter(elem, path+"{}", func(p string) {
				was := v.MapIndex(k)
				v.SetMapIndex(k, elem)
				check(p)
				v.SetMapIndex(k, was)
			})
			other := reflect.New(k.Type()).Elem()
			alterKey(k, other)
			was := v.MapIndex(k)
			v.SetMapIndex(k, reflect.Value{})
			v.SetMapIndex(other, was)
			check(path + "{key}")
			v.SetMapIndex(other, reflect.Value{})
			v.SetMapIndex(k, was)
		}
	case reflect.String:
		try(reflect.ValueOf("b").Convert(v.Type()))
	case reflect.Bool:
		try(reflect.ValueOf(!v.Bool()))
	default:
		if v.CanInt() {
			try(reflect.ValueOf(v.Int() + 1).Convert(v.Type()))
		} else {
			try(reflect.ValueOf(v.Uint() + 1).Convert(v.Type()))
		}
	}
}

// alterKey makes another key of a map's key.
func alterKey(k, other reflect.Value) {
	if o, ok := opaque[k.Type()]; ok {
		other.Set(reflect.ValueOf(o[1]))
	} else if k.Kind() == reflect.String {
		other.SetString("b")
	} else {
		other.SetUint(2)
	}
}

// TestTheTextOfAServiceIsThatOfJSON: it is written by hand, and is what older versions have in their sum.
func TestTheTextOfAServiceIsThatOfJSON(t *testing.T) {
	full := articleConfig().Services.Of("web")
	full.Name = `"servers":null`
	for _, address := range []string{"10.0.0.1:80", "[2001:db8::1]:0", "[::ffff:10.0.0.1]:65535", "[fe80::1%eth<\"0]:80"} {
		for _, forward := range []Forward{"", NAT, `x"<&`} {
			for _, inhibit := range []bool{false, true} {
				full.Servers = append(full.Servers, Server{Address: netip.MustParseAddrPort(address), Weight: uint32(len(full.Servers)) * 1e8, Forward: forward, Inhibit: inhibit})
			}
		}
	}
	full.Servers = append(full.Servers, Server{}, Server{Address: netip.AddrPortFrom(netip.Addr{}, 7)})
	full.Fallback = &full.Servers[0]
	var filled Service
	fill(reflect.ValueOf(&filled).Elem(), 0)
	one, none, empty := full, full, full
	one.Servers, none.Servers, empty.Servers = full.Servers[1:2], nil, []Server{}
	for _, s := range []Service{full, filled, one, none, empty} {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(s); !bytes.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// TestAScrubIsDoneInSmallPartsAndAllocatesLittle counts at the size of the benchmarks: what it allocates has the collector run,
// which costs a director's changes more than the scrub itself.
func TestAScrubIsDoneInSmallPartsAndAllocatesLittle(t *testing.T) {
	s := large(t, 2000)
	pauses := 0
	if err := s.VerifySlowly(func() bool { pauses++; return true }); err != nil || pauses != s.Pauses() || pauses != 4000 {
		t.Errorf("%d pauses: %v", pauses, err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = s.Verify()
	runtime.ReadMemStats(&after)
	if times, size := after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc; times > 10*2000 || size > 6<<20 {
		t.Errorf("%d allocations of %d bytes for 2,000 services of 50 servers", times, size)
	}
	s.Config.Services.Of("s-7").Servers[3].Weight ^= 4
	pauses = 0
	if err := s.VerifySlowly(func() bool { pauses++; return pauses < 10 }); !errors.Is(err, ErrGivenUp) || pauses != 10 {
		t.Errorf("given up after %d pauses: %v", pauses, err)
	}
	if err := s.VerifySlowly(func() bool { return true }); !errors.Is(err, ErrCorrupt) {
		t.Errorf("verified slowly: %v", err)
	}
}
