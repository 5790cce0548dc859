package logstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A director whose disk fails, hangs or is slow goes on serving: nothing of that needs its disk. It must not lead,
// since what is agreed would wait for it. Raft gives leadership up at a write that fails, and a log that hangs holds
// its heartbeats back (transport.go of package cluster). Beyond that, who leads with a slow disk gives leadership away,
// and who cannot write asks for no votes: it would win, and fail at its first entry, again and again. A try every second
// finds out when the disk is well again, since a log that nobody writes to does not tell.

const (
	slowWrites = 3           // that many in a row make a disk slow
	probeEvery = time.Second // while something is wrong
	// Leadership that came back is given up again after a minute, and then after twice as long each time.
	giveUpAgain = time.Minute
	longestWait = time.Hour
	probeSize   = 64 << 10
)

// diskState is how writes to a disk went.
type diskState struct {
	mu     sync.Mutex
	err    error     // of the last write; nil: it worked
	since  time.Time // the first of those that failed
	recent []time.Duration
}

// wrote is told of a write that has ended.
func (d *diskState) wrote(now time.Time, took time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && d.err == nil {
		d.since = now
	}
	if d.err = err; err != nil {
		return
	}
	if d.recent = append(d.recent, took); len(d.recent) > slowWrites {
		d.recent = d.recent[1:]
	}
}

// cannot is why nothing can be written, or nil.
func (d *diskState) cannot() error {
	_, err := d.failed()
	return err
}

// failed is since when nothing can be written, and why, or nil.
func (d *diskState) failed() (since time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.since, d.err
}

// slow is how long the quickest of the last writes took, if they are enough to go by.
func (d *diskState) slow() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.recent) < slowWrites {
		return 0
	}
	return slices.Min(d.recent)
}

// Watch looks after a disk. What is to be done is set before it runs.
type Watch struct {
	state *diskState
	limit time.Duration // a write that takes longer is slow, or hangs
	dir   string
	log   hclog.Logger

	Stuck  func(now time.Time) time.Duration // how long a write is under way
	Probe  func() error                      // a write that nobody needs
	Leads  func() bool                       // and others could, so that leadership may be given up
	GiveUp func(context.Context) error       // gives leadership up
}

// NewWatch returns a watch of the store's disk, on which a write that takes longer than limit is slow, or hangs.
func (s *Store) NewWatch(limit time.Duration, log hclog.Logger) *Watch {
	return &Watch{state: &s.state, Stuck: s.Stuck, limit: limit, dir: s.dir, Probe: s.try, log: log}
}

// Trouble says what is wrong with the disk, or is empty.
func (w *Watch) Trouble(now time.Time) string {
	if since, err := w.state.failed(); err != nil {
		return fmt.Sprintf("nothing can be written to %s since %s: %v; it cannot lead, and goes on serving with what it has, until that works again",
			w.dir, since.Local().Format(time.DateTime), err)
	}
	if stuck := w.Stuck(now); stuck > w.limit {
		return fmt.Sprintf("the disk of %s does not answer for %v: it cannot lead, and goes on serving with what it has", w.dir, stuck.Round(100*time.Millisecond))
	}
	if slow := w.state.slow(); slow > w.limit {
		return fmt.Sprintf("the disk of %s is slow: each of the last %d writes took %v or longer; it leads only if nobody else can", w.dir, slowWrites, slow.Round(10*time.Millisecond))
	}
	return ""
}

// patience is for how many limits a disk may not answer before it counts as one that takes nothing: one that is slow does not.
const patience = 5

// Cannot says shortly why nothing can be written, or is empty.
func (w *Watch) Cannot(now time.Time) string {
	var errno syscall.Errno
	switch err := w.state.cannot(); {
	case errors.As(err, &errno):
		return "its disk takes nothing: " + errno.Error()
	case err != nil:
		return "its disk takes nothing: " + err.Error()
	case w.Stuck(now) > patience*w.limit:
		return "its disk does not answer"
	}
	return ""
}

// Run looks after the disk until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	said, wait := false, giveUpAgain
	var again, well time.Time // when leadership may be given up again; since when the disk is well
	trying := make(chan struct{}, 1)
	for ctx.Err() == nil {
		rest(ctx, min(w.limit, probeEvery))
		why := w.Trouble(time.Now())
		switch {
		case why != "" && !said:
			w.log.Error("the disk of this director", "err", why)
		case why == "" && said:
			w.log.Info("the disk of this director is well again")
		}
		if why == "" && (said || well.IsZero()) {
			well = time.Now()
		}
		if said = why != ""; !said {
			if time.Since(well) > longestWait {
				wait = giveUpAgain
			}
			continue
		}
		if w.Leads() && !time.Now().Before(again) { // where all disks are slow, one of them leads, and ever longer
			again, wait = time.Now().Add(wait), min(2*wait, longestWait)
			if err := w.GiveUp(ctx); err != nil && ctx.Err() == nil {
				w.log.Warn("leadership not given away", "err", err)
			}
		}
		select {
		case trying <- struct{}{}:
			go func() { // ends when the disk answers: nobody waits for that
				w.try(ctx)
				<-trying
			}()
		default:
		}
	}
	return nil
}

// try writes once, and takes its time before the next may.
func (w *Watch) try(ctx context.Context) {
	began := time.Now()
	err := w.Probe()
	if ctx.Err() == nil {
		w.state.wrote(time.Now(), time.Since(began), err)
	}
	rest(ctx, probeEvery)
}

// rest waits, but not beyond the end of ctx.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
