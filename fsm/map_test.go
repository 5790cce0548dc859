package fsm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// version is a map as it came about, and what was in it then.
type version struct {
	is    Map[int]
	plain map[string]int
}

// holds demands that a version is what it was when it was made, in each way to look at it.
func (v version) holds(t *testing.T, names []string) {
	t.Helper()
	if got := maps.Collect(v.is.All()); !maps.Equal(got, v.plain) || v.is.Len() != len(v.plain) || v.is.IsZero() != (len(v.plain) == 0) {
		t.Fatalf("there are %v, and %d by number, want %v", got, v.is.Len(), v.plain)
	}
	if got, want := v.is.Names(), slices.Sorted(maps.Keys(v.plain)); !slices.Equal(got, want) {
		t.Fatalf("in the order %q, want %q", got, want)
	}
	for _, name := range names {
		want, there := v.plain[name]
		got, ok := v.is.Lookup(name)
		if got != want || ok != there || v.is.Of(name) != want || v.is.Has(name) != there {
			t.Fatalf("%q is %d (%t), want %d (%t)", name, got, ok, want, there)
		}
	}
	some := v.is.Only(slices.Values(names[len(names)/2:]))
	for _, name := range names[len(names)/2:] {
		if some.Of(name) != v.plain[name] || some.Has(name) != v.is.Has(name) {
			t.Fatalf("of some names %q is %d, want %d", name, some.Of(name), v.plain[name])
		}
	}
	for name := range some.All() {
		if !slices.Contains(names[len(names)/2:], name) {
			t.Fatalf("%q is none of some names", name)
		}
	}
	if of := MapOf(v.plain); !reflect.DeepEqual(v.is, of) || !v.is.Equal(of) {
		t.Fatalf("a map that came to %v by steps is not one that was made of it", v.plain)
	}
}

// since demands of two versions what is another in one than in the other, and no more than that and what was touched between
// them.
func since(t *testing.T, is, was version, touched map[string]bool) {
	t.Helper()
	got := slices.Collect(is.is.Since(was.is))
	if len(setOf(got)) != len(got) {
		t.Fatalf("what is another is named twice: %q", got)
	}
	names := maps.Clone(is.plain)
	maps.Copy(names, was.plain)
	for name := range names {
		a, had := was.plain[name]
		b, has := is.plain[name]
		if told := slices.Contains(got, name); a == b && had == has && told && !touched[name] || (a != b || had != has) && !told {
			t.Fatalf("%q was %d (%t) and is %d (%t), and what is another is %q", name, a, had, b, has, got)
		}
	}
	for _, name := range got {
		if _, there := names[name]; !there {
			t.Fatalf("%q is in neither, and told", name)
		}
	}
}

// oddNames begin with one another, end in what is behind their end, and have all kinds of letters.
func oddNames() []string {
	names := []string{"", "\x00", "\x00\x00", "\xff", "\xff\xff", "ü", "a", "a\x00", "a\xff", "b", `"`, "<&>", strings.Repeat("x", 300)}
	for i := range 40 {
		names = append(names, fmt.Sprint("s-", i), strings.Repeat("p", i), strings.Repeat("p", i)+"q")
	}
	return names
}

// TestNoVersionOfAMapEverChanges walks a long way of changes beside a plain map, and goes on from older versions now and then.
func TestNoVersionOfAMapEverChanges(t *testing.T) {
	for seed := range uint64(3) {
		rnd, names := rand.New(rand.NewPCG(seed, 0)), oddNames()
		versions, at := []version{{Map[int]{}, map[string]int{}}}, 0
		for step := range 3000 {
			name, from := names[rnd.IntN(len(names))], versions[at]
			next := version{plain: maps.Clone(from.plain)}
			if rnd.IntN(3) == 0 {
				next.is = from.is.Without(name)
				delete(next.plain, name)
			} else {
				next.is = from.is.With(name, step%50)
				next.plain[name] = step % 50
			}
			since(t, next, from, map[string]bool{name: true})
			versions = append(versions, next)
			if at = len(versions) - 1; rnd.IntN(100) == 0 {
				at = rnd.IntN(len(versions))
			}
		}
		for range 200 {
			since(t, versions[rnd.IntN(len(versions))], versions[rnd.IntN(len(versions))], setOf(names))
		}
		for i, v := range versions {
			if i%40 == 0 {
				v.holds(t, names)
			}
		}
	}
}

func setOf(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	return all
}

func TestAMapIsWrittenAndReadAsAPlainOne(t *testing.T) {
	plain := map[string]Service{`<"&`: {Name: "x"}, "ü": {}, "web": articleConfig().Services.Of("web"), "a": articleConfig().Services.Of("web"), "": {}}
	for len(plain) > 0 {
		want, err := json.Marshal(plain)
		got, errGot := json.Marshal(MapOf(plain))
		if err != nil || errGot != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n%s\nwant %v\n%s", errGot, got, err, want)
		}
		var back Map[Service]
		if err := json.Unmarshal(got, &back); err != nil || back.Len() != len(plain) {
			t.Errorf("read %v: %v", back, err)
		}
		if again, err := json.Marshal(back); err != nil || !bytes.Equal(again, want) {
			t.Errorf("%v\n%s\nis read and written as\n%s", err, want, again)
		}
		for name := range plain {
			delete(plain, name)
			break
		}
	}
	for _, text := range []string{`{"web":{"nome":"web"}}`, `{"web":{}} {}`, `[]`, `{"web":1}`} {
		var m Map[Service]
		if err := m.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is read as %v", text, maps.Collect(m.All()))
		}
	}
	var c Config
	if text, err := json.Marshal(Config{}); err != nil || string(text) != "{}" {
		t.Errorf("without services: %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"services":null}`), &c); err != nil || !reflect.DeepEqual(c, Config{}) {
		t.Errorf("null is %+v: %v", c, err)
	}
}

// TestAChangeOfAMapCopiesTheWayThereAndNoMore counts what a change among so many allocates, and what it has to be looked
// for at.
func TestAChangeOfAMapCopiesTheWayThereAndNoMore(t *testing.T) {
	for _, n := range []int{10, 1000, 20_000} {
		plain := map[string]int{}
		for i := range n {
			plain[fmt.Sprint("s-", i)] = i
		}
		m, name := MapOf(plain), fmt.Sprint("s-", n/2)
		depth := 3 + 4*len(name) // no digit takes more branches than four
		if got := testing.AllocsPerRun(10, func() { m = m.With(name, 7) }); got > float64(depth) {
			t.Errorf("to put one among %d takes %v allocations, want %d at most", n, got, depth)
		}
		if got := testing.AllocsPerRun(10, func() { m.Without(name) }); got > float64(depth) {
			t.Errorf("to take one out of %d takes %v allocations, want %d at most", n, got, depth)
		}
		if got := testing.AllocsPerRun(10, func() { m.Of(name) }); got > 0 {
			t.Errorf("to find one among %d takes %v allocations", n, got)
		}
	}
}

// FuzzMap makes names of any bytes, and what is done with them.
func FuzzMap(f *testing.F) {
	f.Add([]byte("+a+b+ab-a+a"))
	f.Add([]byte("+\x00\x00+\x00++-\x00"))
	f.Fuzz(func(t *testing.T, how []byte) {
		was := version{Map[int]{}, map[string]int{}}
		var names []string
		for i, name := range bytes.Split(how, []byte("+")) {
			name, gone := bytes.CutPrefix(name, []byte("-"))
			is := version{was.is.With(string(name), i), maps.Clone(was.plain)}
			is.plain[string(name)] = i
			if gone {
				is.is = was.is.Without(string(name))
				delete(is.plain, string(name))
			}
			names = append(names, string(name))
			since(t, is, was, setOf(names[i:]))
			is.holds(t, names)
			was.holds(t, names)
			was = is
		}
	})
}
