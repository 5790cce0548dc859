package logstore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// watchedDisk is a disk as a [Watch] sees it.
type watchedDisk struct {
	*Watch

	mu     sync.Mutex
	err    error
	takes  time.Duration
	hangs  time.Time // since then; zero: it does not
	tries  int
	leader bool
	gave   []time.Time
}

func newWatchedDisk() *watchedDisk {
	d := &watchedDisk{leader: true}
	d.Watch = &Watch{
		state: &diskState{}, limit: time.Second, dir: "/data", log: hclog.NewNullLogger(),
		Stuck: func(now time.Time) time.Duration {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.hangs.IsZero() {
				return 0
			}
			return now.Sub(d.hangs)
		},
		Probe: func() error {
			d.mu.Lock()
			d.tries++
			err, takes := d.err, d.takes
			d.mu.Unlock()
			time.Sleep(takes)
			return err
		},
		Leads: func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.leader
		},
		GiveUp: func(context.Context) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.gave = append(d.gave, time.Now())
			return nil
		},
	}
	return d
}

func (d *watchedDisk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func (d *watchedDisk) given() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.gave)
}

func (d *watchedDisk) tried() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tries
}

func (d *watchedDisk) begin(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

func TestADiskThatTakesNothingIsTriedUntilItDoes(t *testing.T) {
	for _, err := range []error{unix.ENOSPC, unix.EROFS, unix.EIO} {
		t.Run(err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newWatchedDisk()
				d.begin(t)
				time.Sleep(time.Minute)
				if d.Trouble(time.Now()) != "" || d.tried() > 0 || len(d.given()) > 0 {
					t.Fatalf("a disk that is well: %q, tried %d times", d.Trouble(time.Now()), d.tried())
				}
				d.set(func() { d.err = err })
				began := time.Now()
				d.state.wrote(began, time.Millisecond, err)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				why := d.Trouble(time.Now())
				if !strings.Contains(why, err.Error()) || !strings.Contains(why, "/data since "+began.Local().Format(time.DateTime)) {
					t.Errorf("it says %q", why)
				}
				if len(d.given()) != 1 || d.given()[0].Sub(began) > time.Second {
					t.Errorf("leadership was given away at %v, the disk failed at %v", d.given(), began)
				}
				if d.tried() < 5 || d.tried() > 20 {
					t.Errorf("%d tries in ten seconds", d.tried())
				}
				d.set(func() { d.err = nil })
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if why := d.Trouble(time.Now()); why != "" || d.state.cannot() != nil {
					t.Errorf("a disk that is well again: %q", why)
				}
			})
		})
	}
}

func TestASlowDiskIsSaidAndGivesLeadershipAwayLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newWatchedDisk()
		d.begin(t)
		write := func(n int, took time.Duration) {
			for range n {
				time.Sleep(took)
				d.state.wrote(time.Now(), took, nil)
			}
		}
		write(5, 2*time.Millisecond)
		write(slowWrites-1, 2*time.Second) // a slow one now and then is no slow disk
		write(1, time.Millisecond)
		write(slowWrites-1, 2*time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if why := d.Trouble(time.Now()); why != "" || len(d.given()) > 0 {
			t.Fatalf("%q", why)
		}
		d.set(func() { d.takes = 2 * time.Second })
		write(1, 2*time.Second)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if why := d.Trouble(time.Now()); !strings.Contains(why, "is slow: each of the last 3 writes took 2s or longer") || len(d.given()) != 1 {
			t.Errorf("%q; leadership was given away %d times", why, len(d.given()))
		}
		bouts := func(in time.Duration, most int) { // slow and fast by turns
			t.Helper()
			before := len(d.given())
			for end := time.Now().Add(in); time.Now().Before(end); {
				for _, takes := range []time.Duration{2 * time.Second, time.Millisecond} {
					d.set(func() { d.takes = takes })
					write(slowWrites, takes)
					time.Sleep(10 * time.Second)
					synctest.Wait()
				}
			}
			if n := len(d.given()) - before; n < 1 || n > most {
				t.Errorf("in %v more, leadership was given away %d times", in, n)
			}
		}
		bouts(4*time.Minute, 2)
		bouts(5*time.Hour, 9)
		if why := d.Trouble(time.Now()); why != "" {
			t.Errorf("a disk that is fast again: %q", why)
		}
		time.Sleep(2 * time.Hour)
		bouts(time.Minute, 2)
	})
}

func TestADiskThatHangsIsSaidForAsLongAsItDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newWatchedDisk()
		d.begin(t)
		d.set(func() { d.hangs, d.takes = time.Now(), time.Hour })
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if why := d.Trouble(time.Now()); !strings.Contains(why, "does not answer for 12s") {
			t.Errorf("it says %q", why)
		}
		if d.tried() != 1 {
			t.Errorf("tried %d times, though the first has not come back", d.tried())
		}
		d.set(func() { d.hangs, d.takes = time.Time{}, 0 })
		time.Sleep(time.Second)
		synctest.Wait()
		if why := d.Trouble(time.Now()); why != "" {
			t.Errorf("it answers again: %q", why)
		}
		time.Sleep(time.Hour) // the try comes back: one slow write makes no slow disk
		synctest.Wait()
		if why := d.Trouble(time.Now()); why != "" {
			t.Errorf("at the end: %q", why)
		}
	})
}
