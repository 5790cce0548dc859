package probe

import (
	"context"
	"slices"
	"sync"
	"time"
)

// WatchConfig says what a [Watcher] does. Its functions are called by many goroutines and must not block.
type WatchConfig struct {
	Every    time.Duration                            // each target is asked once in this time, or in a second if nobody has had it for long
	Asked    func(t Target, now time.Time, err error) // a target was asked, or could not be
	Answered func(t Target, now time.Time)            // a target answered
	Ran      func(segment string, now time.Time)      // once in Every, for each segment that has targets
	Ended    func(segment string)                     // a segment has none any more
}

// Watcher asks targets for as long as it runs, and tells when they answer. It has one socket for each segment:
// an interface and a family.
type Watcher struct {
	cfg     WatchConfig
	changed chan struct{} // capacity 1

	mu      sync.Mutex
	want    []Target
	running []*asker
}

// NewWatcher returns a watcher of nothing.
func NewWatcher(cfg WatchConfig) *Watcher {
	return &Watcher{cfg: cfg, changed: make(chan struct{}, 1)}
}

// Set says which targets are asked from now on.
func (w *Watcher) Set(targets []Target) {
	w.mu.Lock()
	w.want = slices.Clone(targets)
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Look has what came until now told before it returns. While all targets answer, they are told of when they are asked
// again: who is about to believe that one is silent looks first.
func (w *Watcher) Look() {
	w.mu.Lock()
	all := w.running
	w.mu.Unlock()
	for _, s := range all {
		s.look()
	}
}

// place names a segment.
type place struct {
	iface string
	v6    bool
}

func (p place) String() string {
	if p.v6 {
		return p.iface + " IPv6"
	}
	return p.iface + " IPv4"
}

// running is a segment that is being asked.
type running struct {
	*asker
	cancel context.CancelFunc
}

// Run asks until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	all := map[place]running{}
	for {
		wanted := w.bySegment()
		for p, r := range all {
			if wanted[p] == nil {
				r.cancel()
				delete(all, p)
			}
		}
		for p, targets := range wanted {
			if r, ok := all[p]; ok {
				r.want.Store(&targets)
				continue
			}
			s := &asker{cfg: w.cfg, place: p, known: map[Target]neighbour{}}
			s.want.Store(&targets)
			life, cancel := context.WithCancel(ctx)
			all[p] = running{s, cancel}
			asking.Go(func() { s.run(life) })
		}
		w.now(all)
		select {
		case <-ctx.Done():
			return nil
		case <-w.changed:
		}
	}
}

// now notes which segments are being asked.
func (w *Watcher) now(all map[place]running) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = nil
	for _, r := range all {
		w.running = append(w.running, r.asker)
	}
}

// bySegment sorts what is wanted.
func (w *Watcher) bySegment() map[place][]Target {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[place][]Target{}
	for _, t := range w.want {
		p := place{t.Interface, t.Address.Is6()}
		if !slices.Contains(out[p], t) {
			out[p] = append(out[p], t)
		}
	}
	return out
}
