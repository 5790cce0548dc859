package hook

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/program"
)

// Config is what a [Runner] needs.
type Config struct {
	Director string // this director's name; hooks are told it
	File     string // where what was done is remembered, in a directory that exists; "": nowhere
	Timing   Timing
	AtOnce   int // hooks of different groups that run at once; the others wait their turn; 0: 32
	Log      hclog.Logger

	// Report is told how every run ended, in the order of the ends, one at a time. It may block without
	// delaying a hook. It may be nil.
	Report func(Report)
}

// Report says how one run of a hook ended.
type Report struct {
	Group, Hook string
	State       State
	Epoch       uint64
	Attempt     int // the first is 1
	Took        time.Duration

	OK      bool
	Stale   bool           // the state was another by then: the result was of no use
	Exit    int            // exit status, -1 if there is none
	Signal  syscall.Signal // that ended it, or 0
	Problem string         // why it is not OK, in one line
	Output  string         // the end of what it wrote, at most 4 KiB of standard error, or if that is empty of standard output
	Again   time.Duration  // after which it is tried again; 0: it is not
}

// Runner runs the hooks of all groups.
type Runner struct {
	cfg  Config
	file *file
	wake chan struct{} // capacity 1: look at todo and at the machines again
	told chan struct{} // capacity 1: look at reports again
	turn chan struct{} // holds a token for each hook that runs

	// execute runs a hook; the returned channel is closed once its process has ended.
	execute func(ctx context.Context, run Run) (program.Outcome, <-chan struct{}, error)

	mu       sync.Mutex // guards what follows
	machines map[string]*member
	kept     map[string]Record // on disk, or about to be
	todo     []order
	reports  []Report
	settled  chan struct{} // closed and made anew whenever a machine has taken a step
}

// member is a group with its machine.
type member struct {
	*Machine
	cancel context.CancelFunc // of the run, nil if none was begun
}

// order is an action of a machine.
type order struct {
	of     *member
	action Action
}

// New returns a runner without groups. It reads the file.
func New(cfg Config) *Runner {
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	r := &Runner{
		cfg: cfg, file: newFile(cfg.File, cfg.Log),
		wake: make(chan struct{}, 1), told: make(chan struct{}, 1),
		turn:     make(chan struct{}, cmp.Or(cfg.AtOnce, 32)),
		machines: map[string]*member{}, settled: make(chan struct{}),
	}
	r.execute = r.program
	r.kept = r.file.read()
	r.file.latest = maps.Clone(r.kept)
	return r
}

// Set gives all groups, by name. One that is left out is stopped, with the hooks that it had, if it was
// ever anything else; of a group that was never given its record is forgotten.
func (r *Runner) Set(groups map[string]Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, g := range groups {
		m := r.machines[name]
		if m == nil {
			m = &member{Machine: NewMachine(name, r.cfg.Timing, r.kept[name])}
			r.machines[name] = m
		}
		r.step(m, Configured{g})
	}
	for name, m := range r.machines {
		if _, ok := groups[name]; !ok {
			r.step(m, Removed{})
		}
	}
	forgotten := false
	for name := range r.kept {
		if r.machines[name] == nil {
			delete(r.kept, name)
			forgotten = true
		}
	}
	if forgotten {
		r.file.put(maps.Clone(r.kept))
	}
}

// Want says what this director is to a group now. It never blocks, and saying the same again changes
// nothing. It returns false, and does nothing, for a group that is not set, and for an epoch older than
// one that was wanted before.
func (r *Runner) Want(group string, w Wish) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.machines[group]
	if m == nil || m.Stale(w) {
		return false
	}
	r.step(m, Wanted{w})
	return true
}

// Settle waits until all that is wanted is done, or ctx ends.
func (r *Runner) Settle(ctx context.Context) error {
	for {
		r.mu.Lock()
		all, changed := true, r.settled
		for _, m := range r.machines {
			all = all && m.Settled()
		}
		r.mu.Unlock()
		if all {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// step tells a machine an event, and leaves what is to be done for Run.
func (r *Runner) step(m *member, e Event) {
	for _, a := range m.Step(time.Now(), e) {
		r.todo = append(r.todo, order{m, a})
	}
	if m.Over() {
		delete(r.machines, m.name)
		delete(r.kept, m.name)
		r.todo = append(r.todo, order{m, nil})
	}
	close(r.settled)
	r.settled = make(chan struct{})
	poke(r.wake)
}

// Run runs hooks until ctx ends. Those that run then are killed; they are run again by the next one. A
// runner runs once.
func (r *Runner) Run(ctx context.Context) error {
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	var hooks, rest sync.WaitGroup
	rest.Go(func() { r.file.run(writing) })
	rest.Go(func() { r.report(writing) })
	for ctx.Err() == nil {
		var due <-chan time.Time
		if next := r.tick(); !next.IsZero() {
			due = time.After(time.Until(next))
		}
		r.work(ctx, &hooks)
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-due:
		}
	}
	hooks.Wait()
	r.work(ctx, nil)
	stopWriting()
	rest.Wait()
	return nil
}

// tick tells the machines the time, and returns when the next of them has a deadline.
func (r *Runner) tick() (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	for _, m := range r.machines {
		if due := m.Deadline(); !due.IsZero() && !due.After(now) {
			r.step(m, Ticked{})
		}
		if due := m.Deadline(); !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	return next
}

// work does what machines wanted to have done. With no wait group, nothing is started any more.
func (r *Runner) work(ctx context.Context, hooks *sync.WaitGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	todo := r.todo
	r.todo = nil
	for _, o := range todo {
		switch a := o.action.(type) {
		case nil:
			r.file.put(maps.Clone(r.kept))
		case Keep:
			if r.machines[o.of.name] == o.of {
				r.kept[o.of.name] = a.Record
			}
		case Start:
			if hooks == nil {
				break
			}
			// What was kept before must be on disk, so that the next process knows that this was begun.
			written := r.file.put(maps.Clone(r.kept))
			running, cancel := context.WithCancel(ctx)
			o.of.cancel = cancel
			hooks.Go(func() {
				defer cancel()
				r.run(ctx, running, o.of, a.Run, written)
			})
		case Kill:
			if o.of.cancel != nil {
				o.of.cancel()
			}
		}
	}
	if len(todo) > 0 {
		r.file.put(maps.Clone(r.kept))
	}
}
