package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

// watchedDisk is a disk as a [diskWatch] sees it.
type watchedDisk struct {
	*diskWatch

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
	d.diskWatch = &diskWatch{
		state: &diskState{}, limit: 500 * time.Millisecond, dir: "/data", log: hclog.NewNullLogger(),
		stuck: func(now time.Time) time.Duration {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.hangs.IsZero() {
				return 0
			}
			return now.Sub(d.hangs)
		},
		probe: func() error {
			d.mu.Lock()
			d.tries++
			err, takes := d.err, d.takes
			d.mu.Unlock()
			time.Sleep(takes)
			return err
		},
		leads: func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.leader
		},
		giveUp: func(context.Context) error {
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
	wg.Go(func() { _ = d.run(ctx) })
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
				if d.trouble(time.Now()) != "" || d.tried() > 0 || len(d.given()) > 0 {
					t.Fatalf("a disk that is well: %q, tried %d times", d.trouble(time.Now()), d.tried())
				}
				d.set(func() { d.err = err })
				began := time.Now()
				d.state.wrote(began, time.Millisecond, err)
				time.Sleep(10 * time.Second)
				synctest.Wait()
				why := d.trouble(time.Now())
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
				if why := d.trouble(time.Now()); why != "" || d.state.cannot() != nil {
					t.Errorf("a disk that is well again: %q", why)
				}
			})
		})
	}
}

func TestASlowDiskIsSaidAndGivesLeadershipAwayOnceInAMinute(t *testing.T) {
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
		if why := d.trouble(time.Now()); why != "" || len(d.given()) > 0 {
			t.Fatalf("%q", why)
		}
		d.set(func() { d.takes = 2 * time.Second })
		write(1, 2*time.Second)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if why := d.trouble(time.Now()); !strings.Contains(why, "is slow: each of the last 3 writes took 2s or longer") || len(d.given()) != 1 {
			t.Errorf("%q; leadership was given away %d times", why, len(d.given()))
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(d.given()) < 2 || len(d.given()) > 3 {
			t.Errorf("in two minutes more, leadership was given away %d times", len(d.given()))
		}
		d.set(func() { d.takes = time.Millisecond })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if why := d.trouble(time.Now()); why != "" {
			t.Errorf("a disk that is fast again: %q", why)
		}
	})
}

func TestADiskThatHangsIsSaidForAsLongAsItDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newWatchedDisk()
		d.begin(t)
		d.set(func() { d.hangs, d.takes = time.Now(), time.Hour })
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if why := d.trouble(time.Now()); !strings.Contains(why, "does not answer for 12s") {
			t.Errorf("it says %q", why)
		}
		if d.tried() != 1 {
			t.Errorf("tried %d times, though the first has not come back", d.tried())
		}
		d.set(func() { d.hangs, d.takes = time.Time{}, 0 })
		time.Sleep(time.Second)
		synctest.Wait()
		if why := d.trouble(time.Now()); why != "" {
			t.Errorf("it answers again: %q", why)
		}
		time.Sleep(time.Hour) // the try comes back: one slow write makes no slow disk
		synctest.Wait()
		if why := d.trouble(time.Now()); why != "" {
			t.Errorf("at the end: %q", why)
		}
	})
}

func TestATryLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := tryDisk(dir); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if err := tryDisk(filepath.Join(dir, "nothing")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("no directory: %v", err)
	}
}

// onBadDisks are three nodes with disks that can be made bad, tries included.
func onBadDisks(t *testing.T) ([]*testnode, []*badDisk) {
	t.Helper()
	ns := three(t)
	var disks []*badDisk
	for i, n := range ns {
		n.kill()
		d := &badDisk{}
		ns[i] = startWith(t, n.cfg, func(n *Node) {
			d.disk = n.store.bolt
			n.store.bolt = d
			n.disk.probe = func() error {
				d.mu.Lock()
				defer d.mu.Unlock()
				return d.logs
			}
		})
		disks = append(disks, d)
		eventually(t, "all have the same", same(ns...))
	}
	return ns, disks
}

func TestADirectorWithAFullDiskSaysSoAndLeadsNothingUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	ns, disks := onBadDisks(t)
	makeLead(t, ns[0], ns)
	disks[0].set(func(d *badDisk) { d.logs = unix.ENOSPC })
	eventually(t, "the others go on", func() error { return ns[1].Propose(t.Context(), drain("b", true)) })
	eventually(t, "it says so", func() error {
		if why := ns[0].Disk(); !strings.Contains(why, "no space left") {
			return errors.New("it says " + why)
		}
		return nil
	})
	// Nor does it stand for election, though a term and a vote could be stored.
	if err := ns[0].raft.Load().Apply(nil, time.Second).Error(); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("it still leads: %v", err)
	}
	var resp raft.RequestVoteResponse
	err := transport{cannot: ns[0].store.state.cannot}.RequestVote("", "", &raft.RequestVoteRequest{}, &resp)
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("it asks for votes: %v", err)
	}
	disks[0].set(func(d *badDisk) { d.logs = nil })
	eventually(t, "it catches up", same(ns...))
	eventually(t, "it says nothing any more", func() error {
		if why := ns[0].Disk(); why != "" {
			return errors.New("it says " + why)
		}
		return nil
	})
	makeLead(t, ns[0], ns)
}

func TestAClusterWhoseDisksWereAllFullGoesOnWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	ns, disks := onBadDisks(t)
	for _, d := range disks {
		d.set(func(d *badDisk) { d.logs = unix.ENOSPC })
	}
	if err := ns[0].Propose(t.Context(), drain("b", true)); err == nil {
		t.Error("something was agreed that is on no disk")
	}
	eventually(t, "nobody leads", func() error {
		for _, n := range ns {
			if n.IsLeader() {
				return errors.New(n.cfg.Name + " does")
			}
		}
		return nil
	})
	for _, n := range ns {
		if n.State().Members["b"].Draining || len(n.State().Members) != 3 {
			t.Errorf("%s has another state", n.cfg.Name)
		}
	}
	for _, d := range disks {
		d.set(func(d *badDisk) { d.logs = nil })
	}
	eventually(t, "they go on", func() error { return ns[0].Propose(t.Context(), drain("c", true)) })
	eventually(t, "all have the same", same(ns...))
}
