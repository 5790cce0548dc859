package track

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// world is a host of the tests: what looks see, by the name of the track.
type world struct {
	mu      sync.Mutex
	sees    map[string]Observation
	looks   map[string]int
	changed func(Kind)
}

func (w *world) open(_ context.Context, _ *sync.WaitGroup, changed func(Kind)) func() {
	w.changed = changed
	return func() {}
}

func (w *world) need(context.Context, *sync.WaitGroup, []Spec) {}

func (w *world) looker(s Spec) looker {
	return func(context.Context) (Observation, bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.looks[s.Name]++
		o, ok := w.sees[s.Name]
		return o, ok
	}
}

func (w *world) see(name string, o Observation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sees[name] = o
}

func (w *world) looked(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looks[name]
}

// runWorld runs f beside a runner that looks at a world, in a bubble of time.
func runWorld(t *testing.T, f func(r *Runner, w *world, changes *atomic.Int64)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{sees: map[string]Observation{}, looks: map[string]int{}}
		var changes atomic.Int64
		r := New(Config{Changed: func() { changes.Add(1) }})
		r.sources = w
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		f(r, w, &changes)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func link(name string) Spec { return Spec{Name: name, Kind: Interface, Interface: "eth0"} }

func state(r *Runner, name string) State { return r.Results()[name].State }

func TestTracksAreLookedAtWhileTheyAreSet(t *testing.T) {
	runWorld(t, func(r *Runner, w *world, changes *atomic.Int64) {
		w.see("a", Observation{OK: true})
		r.Set([]Spec{link("a"), link("b")})
		time.Sleep(3500 * time.Millisecond)
		want := map[string]Result{"a": {Kind: Interface, State: Passing, Since: r.Results()["a"].Since}, "b": {Kind: Interface, State: Unknown}}
		if diff := cmp.Diff(want, r.Results()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := w.looked("a"); n != 4 {
			t.Errorf("%d looks in 3.5 s, want 4", n)
		}
		before := changes.Load()
		r.Set([]Spec{link("b")})
		synctest.Wait()
		if changes.Load() == before {
			t.Error("nobody was told that a track is gone")
		}
		time.Sleep(5 * time.Second)
		if n := w.looked("a"); n != 4 {
			t.Errorf("%d looks, the last after it was taken out", n)
		}
		if _, ok := r.Results()["a"]; ok {
			t.Error("it has a result still")
		}
	})
}

func TestWhatIsKnownIsKeptWhileTheSameIsWatched(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*Spec)
		want State
	}{
		{"nothing changed", func(*Spec) {}, Failing},
		{"how often, how long", func(s *Spec) { s.Interval, s.Fall, s.DownDelay = time.Minute, 5, time.Second }, Failing},
		{"another interface", func(s *Spec) { s.Interface = "eth1" }, Unknown},
		{"another kind", func(s *Spec) { *s = Spec{Name: s.Name, Kind: File, Path: "/x"} }, Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runWorld(t, func(r *Runner, w *world, _ *atomic.Int64) {
				w.see("a", Observation{Reason: "bad"})
				spec := link("a")
				r.Set([]Spec{spec})
				time.Sleep(time.Second)
				since := r.Results()["a"].Since
				w.mu.Lock()
				delete(w.sees, "a") // nothing more is learned
				w.mu.Unlock()
				tt.edit(&spec)
				r.Set([]Spec{spec})
				time.Sleep(time.Second)
				if got := r.Results()["a"]; got.State != tt.want || tt.want == Failing && got.Since != since {
					t.Errorf("%+v, want %s since %v", got, tt.want, since)
				}
			})
		})
	}
}

func TestADelayEndsWithoutAnotherLook(t *testing.T) {
	runWorld(t, func(r *Runner, w *world, changes *atomic.Int64) {
		spec := link("a")
		spec.Interval, spec.DownDelay = time.Hour, 3*time.Second
		w.see("a", Observation{OK: true})
		r.Set([]Spec{spec})
		time.Sleep(time.Second)
		told := changes.Load()
		w.see("a", Observation{Reason: "bad"})
		w.changed(Interface)
		time.Sleep(2900 * time.Millisecond)
		if s := state(r, "a"); s != Passing || changes.Load() != told {
			t.Errorf("%s after 2.9 s, %d calls more", s, changes.Load()-told)
		}
		time.Sleep(200 * time.Millisecond)
		if s := state(r, "a"); s != Failing || changes.Load() != told+1 {
			t.Errorf("%s after 3.1 s, %d calls more", s, changes.Load()-told)
		}
	})
}

func TestTheValueOfAFileCountsAtOnce(t *testing.T) {
	runWorld(t, func(r *Runner, w *world, changes *atomic.Int64) {
		w.see("a", Observation{Value: 1, Reason: "holds 1"})
		r.Set([]Spec{{Name: "a", Kind: File, Path: "/x"}})
		time.Sleep(time.Second)
		told := changes.Load()
		w.see("a", Observation{Value: 2, Reason: "holds 2"})
		time.Sleep(time.Second)
		if got := r.Results()["a"]; got.Value != 2 || changes.Load() != told+1 {
			t.Errorf("%+v, %d calls more", got, changes.Load()-told)
		}
	})
}

func TestATrackThatIsNotValidFailsWithTheReason(t *testing.T) {
	runWorld(t, func(r *Runner, w *world, _ *atomic.Int64) {
		bad := Spec{Name: "a", Kind: "moon"}
		r.Set([]Spec{bad})
		r.Set([]Spec{bad})
		time.Sleep(time.Second)
		if got := r.Results()["a"]; got.State != Failing || got.Reason != `not valid: kind: "moon" is unknown` || w.looked("a") != 0 {
			t.Errorf("%+v after %d looks", got, w.looked("a"))
		}
		w.see("a", Observation{OK: true})
		r.Set([]Spec{link("a")})
		time.Sleep(time.Second)
		if s := state(r, "a"); s != Passing {
			t.Errorf("%s once it is mended", s)
		}
	})
}
