// Package units holds the tests of the systemd units: what `make install` installs, run by a systemd on
// each director, with the paths that it has there. Package wire has the same moves without systemd.
package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/units/installed"
)

func TestMain(m *testing.M) { lab.MainHost(m) }

// The virtual address and its cluster file, which needs no IPVS.
const (
	vip        = "192.168.1.1"
	group      = "web"
	routerFile = `router "web" {
  vrid      = 51
  interface = "wan"
  interval  = "200ms"
  addresses = ["192.168.1.1/24"]
}
`
)

// The units.
const (
	control = installed.Control
	keeper  = installed.Keeper
)

// A director is one whose agent runs as systemd's units.
type director struct{ *installed.Director }

// A testnet is directors with a wire to a client and one of their own for the cluster.
type testnet struct {
	*lab.Article
	directors []*director
}

// drawing is held while a network is drawn: two tests that run at once must not choose the same names.
var drawing sync.Mutex

// build draws the network, with quorate installed on each director and no unit started.
func build(t *testing.T, name string, directors int) *testnet {
	t.Helper()
	if why := lab.NoSystemd(); why != "" {
		t.Skip(why)
	}
	drawing.Lock()
	defer drawing.Unlock()
	n := lab.New(t)
	w := &testnet{Article: &lab.Article{Net: n, Outer: n.Segment("outer"), Inner: n.Segment("inner")}}
	for i := range directors {
		w.Directors = append(w.Directors, n.Director(fmt.Sprint(name, i+1),
			w.Outer.At(fmt.Sprintf("192.168.1.%d/24", 2+i)), w.Inner.At(fmt.Sprintf("192.168.2.%d/24", 2+i))))
	}
	w.Client = n.Host("client", w.Outer.At("192.168.1.100/24"))
	for _, d := range w.Directors {
		w.directors = append(w.directors, &director{installed.Boot(t, d)})
	}
	return w
}

// enable starts both units as docs/operations.md says.
func (d *director) enable(t *testing.T) {
	t.Helper()
	d.Systemctl(t, "enable", "--now", "quorate-keeper", "quorate")
}

// cluster is build with the units started, all directors in one cluster, and an address that somebody owns.
func cluster(t *testing.T, name string, directors int) *testnet {
	t.Helper()
	w := build(t, name, directors)
	for _, d := range w.directors {
		d.enable(t)
	}
	w.directors[0].MustQuorate("init")
	for _, d := range w.Directors[1:] {
		w.Join(t, d)
	}
	w.AwaitReady(t, 30*time.Second)
	w.apply(routerFile)
	w.settled(t)
	return w
}

func (w *testnet) apply(text string) {
	first := w.Directors[0]
	first.MustQuorate("apply", first.WriteFile("cluster.hcl", text), "--yes")
}

// settled waits until one host has the address, all name it and all are ready, and returns it.
func (w *testnet) settled(t *testing.T) *director {
	t.Helper()
	var owner *director
	lab.Eventually(t, 20*time.Second, "all agree on who owns", func() error {
		if err := w.OneOwner(vip); err != nil {
			return err
		}
		host := w.Owners(vip)[0]
		for _, d := range w.directors {
			if d.Host == host {
				owner = d
			}
			if !d.Init().Alive() {
				continue
			}
			st, err := d.Status()
			if err != nil {
				return err
			}
			if st.Owner(group) != host.Name || st.Groups[0].Epoch == 0 {
				return fmt.Errorf("%s names %q in epoch %d, want %s", d.Name, st.Owner(group), st.Groups[0].Epoch, host.Name)
			}
		}
		return nil
	})
	w.AwaitReady(t, 30*time.Second)
	return owner
}

// other is a director that is not this one.
func (w *testnet) other(not *director) *director {
	return w.directors[(slices.Index(w.directors, not)+1)%len(w.directors)]
}

// unnoticed is what nobody may notice of a planned move; no test asserts less.
const unnoticed = time.Second

// watch probes the address each millisecond while f runs and a little longer. Meanwhile it asks who answers
// for it. It holds that the address was away for no longer than most, and that two never answered for it
// for longer than a second.
func (w *testnet) watch(t *testing.T, most time.Duration, f func()) {
	t.Helper()
	probe := w.Client.Probe(lab.Probe{To: vip})
	var two time.Duration
	stop := make(chan struct{})
	var judging sync.WaitGroup
	judging.Go(func() { two = w.twoOwners(stop) })
	func() {
		defer judging.Wait()
		defer close(stop) // also where f ends the test
		f()
		time.Sleep(700 * time.Millisecond)
	}()
	r := probe.Close()
	t.Logf("%v; two owners for %v", r, two.Round(time.Millisecond))
	if r.Longest > most+r.Stall || r.Answered == 0 {
		t.Errorf("the address was away for %v, at most %v: %v", r.Longest, most, r)
	}
	if two > time.Second {
		t.Errorf("two answered for the address for %v", two)
	}
}

// twoOwners asks who answers for the address until stop, and returns the longest time that two did. Each question counts
// for as long as its answers are waited for, however late this process is after that.
func (w *testnet) twoOwners(stop <-chan struct{}) time.Duration {
	const wait = 50 * time.Millisecond
	var longest time.Duration
	var since time.Time
	for {
		select {
		case <-stop:
			return longest
		default:
		}
		start := time.Now()
		if owners := w.Client.AskARP(w.Outer, vip, wait); len(owners) < 2 {
			since = time.Time{}
			continue
		}
		if since.IsZero() {
			since = start
		}
		longest = max(longest, start.Add(wait).Sub(since))
	}
}

// taken waits until one other director has the address.
func (w *testnet) taken(t *testing.T, from *director) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, "another than "+from.Name+" has the address", func() error {
		if owners := w.Owners(vip); len(owners) != 1 || owners[0] == from.Host {
			return fmt.Errorf("%d hosts have it", len(owners))
		}
		return nil
	})
}

// stays holds that for a while nobody but the owner has the address.
func (w *testnet) stays(t *testing.T, owner *director, during time.Duration) {
	t.Helper()
	lab.Consistently(t, during, owner.Name+" keeps the address", func() error {
		if owners := w.Owners(vip); len(owners) != 1 || owners[0] != owner.Host {
			return fmt.Errorf("%d hosts have it", len(owners))
		}
		return nil
	})
}

// told waits until a director has an event of a new owner with that cause.
func (w *testnet) told(t *testing.T, by *director, epoch uint64, cause string) {
	t.Helper()
	in := fmt.Sprintf(" in epoch %d,", epoch)
	lab.Eventually(t, 10*time.Second, by.Name+" tells "+cause, func() error {
		out, err := by.Quorate("events")
		for line := range strings.Lines(out) {
			if strings.Contains(line, in) && strings.Contains(line, cause) {
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("no such event%s in\n%s", in, out))
	})
}

// epoch is the epoch of the group that a director knows.
func (d *director) epoch(t *testing.T) uint64 {
	t.Helper()
	st, err := d.Status()
	if err != nil || len(st.Groups) != 1 {
		t.Fatalf("status of %s: %+v, %v", d.Name, st, err)
	}
	return st.Groups[0].Epoch
}

// again waits until a unit runs with another process than the old one.
func (d *director) again(t *testing.T, unit string, old *lab.Process, within time.Duration) {
	t.Helper()
	role := map[string]string{control: "agent", keeper: "keeper"}[unit]
	lab.Eventually(t, within, d.Name+" has another "+unit, func() error {
		if p, err := d.FindProcess(role); err != nil || p.Pid == old.Pid {
			return errors.Join(err, errors.New("no other process"))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err := d.Systemd.Run(ctx, "systemctl", "is-active", unit)
		return err
	})
}
