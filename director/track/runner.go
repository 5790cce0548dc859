package track

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Config is what a [Runner] needs.
type Config struct {
	Log hclog.Logger

	// Changed is called when a state, a fault or the value of a file has changed, and not again before
	// it has returned: what changes meanwhile makes one more call. It may block without delaying a
	// look. It is told nothing: [Runner.Results] has all.
	Changed func()
}

// Runner keeps the results of tracks.
type Runner struct {
	cfg     Config
	wake    chan struct{} // capacity 1: look at the watches again
	changes chan struct{} // capacity 1: look at the results again
	sources sources

	mu      sync.Mutex // guards what follows
	watches map[string]*watch
}

// watch is one track.
type watch struct {
	spec    Spec // with defaults
	tracker *Tracker
	removed bool
	cancel  context.CancelFunc // nil: nobody looks at it
	poke    chan struct{}      // capacity 1: look now
}

// New returns a runner without tracks.
func New(cfg Config) *Runner {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	return &Runner{
		cfg: cfg, wake: make(chan struct{}, 1), changes: make(chan struct{}, 1),
		sources: newHost(cfg.Log), watches: map[string]*watch{},
	}
}

// Set gives all tracks that are to be watched from now on. What is known of one is kept while it
// watches the same. One that is not valid fails, with the reason; of two with one name the first
// counts.
func (r *Runner) Set(specs []Spec) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[string]*watch{}
	for _, spec := range specs {
		if next[spec.Name] != nil {
			continue
		}
		err := spec.Validate()
		spec = spec.withDefaults()
		next[spec.Name] = r.follow(spec, err)
	}
	gone := len(r.watches) != len(next)
	for name, w := range r.watches {
		gone = gone || next[name] == nil
		if next[name] != w {
			w.removed = true
		}
		if w.removed && w.cancel != nil {
			w.cancel()
		}
	}
	r.watches = next
	if gone {
		poke(r.changes)
	}
	poke(r.wake)
}

// follow returns the watch of a spec: the one of before if it is the same, or one that knows what that
// knew if it watches the same.
func (r *Runner) follow(spec Spec, invalid error) *watch {
	w := &watch{spec: spec, tracker: &Tracker{}, poke: make(chan struct{}, 1)}
	old := r.watches[spec.Name]
	switch {
	case old != nil && same(old.spec, spec):
		return old
	case old != nil && old.spec.watches(spec):
		w.tracker = old.tracker
	default:
		poke(r.changes)
	}
	w.tracker.Rise, w.tracker.Fall = spec.Rise, spec.Fall
	w.tracker.UpDelay, w.tracker.DownDelay = spec.UpDelay, spec.DownDelay
	if invalid != nil {
		w.removed = true // never looked at
		w.tracker = &Tracker{}
		w.tracker.Observe(time.Now(), Observation{Reason: fmt.Sprintf("not valid: %v", invalid)})
	}
	return w
}

// Results returns what all tracks have come to, by name.
func (r *Runner) Results() map[string]Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]Result, len(r.watches))
	for name, w := range r.watches {
		result := w.tracker.Result()
		result.Kind = w.spec.Kind
		all[name] = result
	}
	return all
}

// Run watches until ctx ends, in the network namespace of the thread that calls it. Scripts that run
// then are killed.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	closeSources := r.sources.open(ctx, &wg, r.pokeAll)
	defer func() { // once nobody looks any more
		cancel()
		wg.Wait()
		closeSources()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, w := range r.watches {
			w.cancel = nil
		}
	}()
	wg.Go(func() { r.report(ctx) })
	for ctx.Err() == nil {
		var due <-chan time.Time
		if next := r.advance(ctx, &wg); !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-due:
		}
	}
	return nil
}

// advance lets somebody look at every watch, tells the trackers the time, and returns when the next of
// them has a deadline.
func (r *Runner) advance(ctx context.Context, wg *sync.WaitGroup) (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, want := time.Now(), []Spec{}
	for _, w := range r.watches {
		r.note(w, func() { w.tracker.Expire(now) })
		if due := w.tracker.Deadline(); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
		if w.removed {
			continue
		}
		want = append(want, w.spec)
		if w.cancel == nil {
			var watching context.Context
			watching, w.cancel = context.WithCancel(ctx)
			wg.Go(func() { r.keepLooking(watching, w) })
		}
	}
	r.sources.need(ctx, wg, want)
	return next
}

// keepLooking looks at one track, at its interval and when something may have changed.
func (r *Runner) keepLooking(ctx context.Context, w *watch) {
	look := r.sources.looker(w.spec)
	tick := time.NewTicker(w.spec.Interval)
	defer tick.Stop()
	for {
		if o, ok := look(ctx); ok {
			r.observe(w, o)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-w.poke:
			wait(ctx, breath) // for more of it
		}
	}
}

func (r *Runner) observe(w *watch, o Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.removed {
		return
	}
	due := w.tracker.Deadline()
	r.note(w, func() { w.tracker.Observe(time.Now(), o) })
	if w.tracker.Deadline() != due {
		poke(r.wake)
	}
}

// note lets step change a tracker, and tells if its result has changed.
func (r *Runner) note(w *watch, step func()) {
	was := w.tracker.Result()
	step()
	now := w.tracker.Result()
	if now.State != was.State || now.Fault != was.Fault || w.spec.Kind == File && now.Value != was.Value {
		r.cfg.Log.Info("a track has changed", "track", w.spec.Name, "state", now.State, "value", now.Value, "reason", now.Reason)
		poke(r.changes)
	}
}

// report tells of changes until ctx ends.
func (r *Runner) report(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changes:
			if r.cfg.Changed != nil {
				r.cfg.Changed()
			}
		}
	}
}

// pokeAll lets all tracks of a kind be looked at.
func (r *Runner) pokeAll(kind Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watches {
		if w.spec.Kind == kind {
			poke(w.poke)
		}
	}
}

// poke sends to a channel of capacity 1 without blocking.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
