package checks

import (
	"container/heap"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

// Config is what a [Runner] needs.
type Config struct {
	Observer string // this director's name, for the log
	Helo     string // see [Options]
	Log      hclog.Logger

	// Report is given the observations whose health changed, and is not called again before it has
	// returned: what changes meanwhile is gathered. It may block without delaying a check.
	Report func(changed map[fsm.ServerKey]Observation)

	// Spread says which of how many directors this is, so that they probe a target one after the
	// other. It may change at any time, must not block, and may be nil: the only one.
	Spread func() (index, count int)

	// Serves says whether a server carries traffic when a check of it is new here. It must not block, and may be nil: none does.
	Serves func(key fsm.ServerKey) bool

	Concurrency int // attempts over the network at once; 0: 512
	Scripts     int // scripts at once; 0: 16

	// NewProber makes the probers; nil: [NewProber].
	NewProber func(c fsm.Check, key fsm.ServerKey) (Prober, error)
}

// Runner probes the real servers of all services on one schedule, and keeps this director's
// observations.
type Runner struct {
	cfg     Config
	start   time.Time
	wake    chan struct{} // capacity 1: look at the schedule again
	changes chan struct{} // capacity 1: look at changed again

	mu       sync.Mutex // guards what follows
	servers  map[fsm.ServerKey]*server
	services map[string][]fsm.ServerKey // the servers by service, for those that have checks
	items    map[itemKey]*item
	schedule schedule
	network  lane
	scripts  lane
	changed  map[fsm.ServerKey]Observation // not reported yet
}

// itemKey names a check by what it probes, so that its tracker outlives every other edit.
type itemKey struct {
	server fsm.ServerKey
	check  string // fingerprint
}

// server is a real server with its checks, all of which must pass.
type server struct {
	items []*item
	seen  Observation
}

// New returns a runner without services.
func New(cfg Config) *Runner {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = 512
	}
	if cfg.Scripts <= 0 {
		cfg.Scripts = 16
	}
	if cfg.Spread == nil {
		cfg.Spread = func() (int, int) { return 0, 1 }
	}
	if cfg.Serves == nil {
		cfg.Serves = func(fsm.ServerKey) bool { return false }
	}
	if cfg.NewProber == nil {
		cfg.NewProber = func(c fsm.Check, key fsm.ServerKey) (Prober, error) {
			return NewProber(c, key.Server, Options{Service: key.Service, Helo: cfg.Helo})
		}
	}
	return &Runner{
		cfg: cfg, start: time.Now(),
		wake: make(chan struct{}, 1), changes: make(chan struct{}, 1),
		servers: map[fsm.ServerKey]*server{}, services: map[string][]fsm.ServerKey{}, items: map[itemKey]*item{},
		network: lane{limit: cfg.Concurrency}, scripts: lane{limit: cfg.Scripts},
		changed: map[fsm.ServerKey]Observation{},
	}
}

// Set gives the services, by name, that are to be checked from now on. Checks that probe what they
// probed before keep what they know. New ones are first made within a quarter of a second. A server
// of a service without checks is not looked at.
func (r *Runner) Set(services fsm.Map[fsm.Service]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.services {
		if !services.Has(name) {
			r.replace(name, fsm.Service{})
		}
	}
	for name, service := range services.All() {
		r.replace(name, service)
	}
	poke(r.wake)
}

// Change is [Runner.Set] where only the named services are others than before. It costs what they do.
func (r *Runner) Change(services fsm.Map[fsm.Service], names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		r.replace(name, services.Of(name))
	}
	poke(r.wake)
}

// replace puts a service in the place of the one of that name. One without checks is none.
func (r *Runner) replace(name string, service fsm.Service) {
	before := r.services[name]
	if len(before) == 0 && len(service.Checks) == 0 {
		return
	}
	servers, items := map[fsm.ServerKey]*server{}, map[itemKey]*item{}
	checks := Fingerprint(service.Checks)
	if len(service.Checks) > 0 {
		for _, s := range service.Servers {
			key := fsm.ServerKey{Service: name, Server: s.Address}
			if servers[key] != nil {
				continue
			}
			sv := &server{items: r.itemsOf(key, service.Checks, items), seen: unknown(time.Now(), checks)}
			if old := r.servers[key]; old != nil {
				sv.seen = old.seen
			}
			servers[key] = sv
		}
	}
	r.forget(before, servers, items)
	maps.Copy(r.servers, servers)
	maps.Copy(r.items, items)
	r.services[name] = slices.Collect(maps.Keys(servers))
	if len(servers) == 0 {
		delete(r.services, name)
	}
	for key, sv := range servers {
		r.look(key, sv, checks)
	}
}

// forget lets go of the servers that a service had, but for those that it has, and of checks that are not made any more.
func (r *Runner) forget(had []fsm.ServerKey, has map[fsm.ServerKey]*server, items map[itemKey]*item) {
	for _, key := range had {
		for _, it := range r.servers[key].items {
			k := itemKey{key, it.id}
			if items[k] == nil && r.items[k] == it {
				r.remove(it)
				delete(r.items, k)
			}
		}
		if has[key] == nil {
			delete(r.servers, key)
			delete(r.changed, key)
		}
	}
}

// itemsOf returns the items for the checks of one server, those of before where they probe the same,
// and enters them in items.
func (r *Runner) itemsOf(key fsm.ServerKey, checks []fsm.Check, items map[itemKey]*item) []*item {
	var list []*item
	for _, c := range checks {
		c = withDefaults(c)
		k := itemKey{key, fingerprint(c)}
		if items[k] != nil {
			continue // the same check twice
		}
		it := r.items[k]
		if it == nil {
			it = r.add(key, c, k.check)
		}
		it.update(c, func() Prober { return r.prober(c, key) })
		items[k] = it
		list = append(list, it)
	}
	return list
}

const firstWithin = 250 * time.Millisecond // new checks are spread over this, not over the interval: a new server waits for its first pass

// add puts a new item on the schedule.
func (r *Runner) add(key fsm.ServerKey, c fsm.Check, id string) *item {
	it := &item{key: key, id: id, lane: &r.network, begun: r.now(), target: targetHash(key, id), tracker: Tracker{Serving: r.cfg.Serves(key)}}
	if c.Kind == fsm.CheckScript {
		it.lane = &r.scripts
	}
	it.next = it.begun + time.Duration(it.target%uint64(min(firstWithin, c.Interval)))
	heap.Push(&r.schedule, it)
	return it
}

// remove takes an item off the schedule for good, and ends the attempt that runs.
func (r *Runner) remove(it *item) {
	it.removed = true
	heap.Remove(&r.schedule, it.index)
	if it.cancel != nil {
		it.cancel()
	}
	release(it.waiters)
	it.waiters = nil
}

// prober makes a prober. A check that cannot be made is tried again at each attempt, and fails with
// the reason until then.
func (r *Runner) prober(c fsm.Check, key fsm.ServerKey) Prober {
	p, err := r.cfg.NewProber(c, key)
	if err == nil {
		return p
	}
	r.cfg.Log.Error("this check cannot be made here", "server", key, "check", c.Kind, "err", err)
	return unmade(func() (Prober, error) { return r.cfg.NewProber(c, key) })
}

// unmade is the prober of a check that could not be made yet.
type unmade func() (Prober, error)

// Probe implements [Prober].
func (u unmade) Probe(ctx context.Context) Result {
	p, err := u()
	if err != nil {
		return Result{Cause: program.Printable(err.Error(), maxCause)}
	}
	return p.Probe(ctx)
}

// Observations returns what this director sees now, for every server that is checked.
func (r *Runner) Observations() map[fsm.ServerKey]Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[fsm.ServerKey]Observation, len(r.servers))
	for key, sv := range r.servers {
		all[key] = sv.seen
	}
	return all
}

// ObservationsOf returns what this director sees now of the servers of one service.
func (r *Runner) ObservationsOf(service string) map[fsm.ServerKey]Observation {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[fsm.ServerKey]Observation, len(r.services[service]))
	for _, key := range r.services[service] {
		all[key] = r.servers[key].seen
	}
	return all
}

// Confirm probes the servers now, waits for that, and returns what this director sees of them then;
// of servers that it does not check, nothing. Each failure counts as the whole fall. A server that
// is known to be dead is not probed for it. If ctx ends first, the answer is what is known by then.
func (r *Runner) Confirm(ctx context.Context, keys []fsm.ServerKey) map[fsm.ServerKey]Observation {
	var waits []chan struct{}
	r.mu.Lock()
	for _, key := range keys {
		sv := r.servers[key]
		if sv == nil || sv.seen.Health == fsm.Down {
			continue
		}
		for _, it := range sv.items {
			done := make(chan struct{})
			waits = append(waits, done)
			it.waiters = append(it.waiters, done)
			it.confirm = true // an attempt that runs already may have begun too early: another follows it
			it.lane.add(it)
		}
	}
	r.mu.Unlock()
	poke(r.wake)
	for _, done := range waits {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[fsm.ServerKey]Observation{}
	for _, key := range keys {
		if sv := r.servers[key]; sv != nil {
			seen[key] = sv.seen
		}
	}
	return seen
}

// look recomputes what is seen of a server from its checks, and notes a change for the report.
func (r *Runner) look(key fsm.ServerKey, sv *server, checks string) {
	now := Observation{Health: fsm.Up, Checks: checks}
	for _, it := range sv.items {
		o := it.tracker.Observation()
		switch {
		case o.Health == fsm.Down && now.Health != fsm.Down:
			now.Health, now.Cause = fsm.Down, o.Cause
			if len(sv.items) > 1 {
				now.Cause = string(it.check.Kind) + ": " + o.Cause
			}
		case o.Health == fsm.Unknown && now.Health == fsm.Up:
			now.Health = fsm.Unknown
		}
	}
	was := sv.seen
	now.Since = was.Since
	if now.Health != was.Health {
		now.Since = time.Now()
	}
	sv.seen = now
	if now.Health != was.Health || now.Checks != was.Checks {
		r.changed[key] = now
		poke(r.changes)
	}
}

// report hands changes on until ctx ends.
func (r *Runner) report(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.changes:
		}
		r.mu.Lock()
		changed := r.changed
		r.changed = map[fsm.ServerKey]Observation{}
		r.mu.Unlock()
		if len(changed) > 0 && r.cfg.Report != nil {
			r.cfg.Report(maps.Clone(changed))
		}
	}
}

// now is the time on the schedule. It is not the wall clock, which may step.
func (r *Runner) now() time.Duration { return time.Since(r.start) }

// unknown is the observation before the first result.
func unknown(now time.Time, checks string) Observation {
	return Observation{Health: fsm.Unknown, Since: now, Checks: checks}
}

func release(waiters []chan struct{}) {
	for _, w := range waiters {
		close(w)
	}
}

// poke sends to a channel of capacity 1 without blocking.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
