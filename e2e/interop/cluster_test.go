package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// routerFile is a cluster's router: the one of the cells.
var routerFile = routerWith("")

// routerWith is that router with something besides.
func routerWith(besides string) string {
	return `router "gateway" {
  vrid      = 51
  interface = "wan"
  interval  = "500ms"
  addresses = ["` + virtual4 + `"]
  ` + besides + `
}
`
}

// shared is a cluster of three directors with a keepalived beside it.
type shared struct {
	*lab.Article
	segment *lab.Segment
	foreign *keepalived
	cell    Cell
	watcher *lab.Host
}

func newShared(t *testing.T) *shared {
	t.Helper()
	stands.mu.Lock()
	defer stands.mu.Unlock()
	n := lab.New(t)
	s := &shared{Article: &lab.Article{Net: n, Outer: n.Segment("lan"), Inner: n.Segment("own")}}
	s.segment, s.cell = s.Outer, Cell{Peer: Keepalived, Version: 3, Interval: 500 * time.Millisecond}
	for i := range 3 {
		s.Directors = append(s.Directors, n.Director(fmt.Sprintf("i%d", i+1),
			s.Outer.At(fmt.Sprintf("192.0.2.%d/24", 1+i)), s.Inner.At(fmt.Sprintf("198.51.100.%d/24", 1+i))))
	}
	s.foreign = &keepalived{t: t, cell: s.cell, on: n.Host("foreign", s.Outer.At(own(peerNumber)...))}
	s.watcher = n.Host("watcher", s.Outer.At(own(watcherNumber)...))
	s.Client = n.Host("iclient", s.Outer.At(own(clientNumber)...))
	s.Cluster(t)
	d := s.Directors[0]
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", routerFile), "--yes")
	return s
}

// owner waits until one of these hosts serves, and the client knows, and returns it.
func (s *shared) owner(t *testing.T, limit time.Duration, of ...*lab.Host) *lab.Host {
	t.Helper()
	var owner *lab.Host
	lab.Eventually(t, limit, "one host serves, and the client knows", func() error {
		holders := s.Holders(s.cell.virtual())
		if len(holders) != 1 || !slices.Contains(of, holders[0]) {
			return fmt.Errorf("%d hosts hold the address", len(holders))
		}
		owner = holders[0]
		if err := OneOwner(s.Net, s.watcher, s.segment, s.cell.virtual(), owner); err != nil {
			return err
		}
		return NeighbourRight(s.Client, s.segment, s.cell.virtual(), owner)
	})
	return owner
}

// directors are the hosts of all directors but those.
func (s *shared) directors(not ...*lab.Host) []*lab.Host {
	var hosts []*lab.Host
	for _, d := range s.Directors {
		if !slices.Contains(not, d.Host) {
			hosts = append(hosts, d.Host)
		}
	}
	return hosts
}

// TestAClusterSharesARouterWithKeepalived has a keepalived in the band that is left free for foreign routers:
// it serves when no director does, and only then.
func TestAClusterSharesARouterWithKeepalived(t *testing.T) {
	needs(t, Keepalived)
	t.Parallel()
	s := newShared(t)
	probe := s.Client.Probe(lab.Probe{To: s.cell.virtual(), Interval: 5 * time.Millisecond})
	defer func() { t.Logf("the client: %v", probe.Close()) }()
	first := s.owner(t, 20*time.Second, s.directors()...)
	s.AwaitReady(t, 30*time.Second)
	at := func(priority int) Settings { return s.cell.settings(priority) }

	t.Run("a foreign router between the bands takes nothing", func(t *testing.T) {
		s.foreign.Start(at(110))
		time.Sleep(s.cell.Down(110) + time.Second)
		if now := s.owner(t, slack, s.directors()...); now != first {
			t.Errorf("%s serves, before: %s", now.Name, first.Name)
		}
	})
	var second *lab.Host
	t.Run("the owner's machine dies: another director takes over, not the foreign router", func(t *testing.T) {
		first.Die()
		second = s.owner(t, s.cell.Down(high)+3*slack, s.directors(first)...)
	})
	if t.Failed() {
		return
	}
	t.Run("drain moves it to the last director", func(t *testing.T) {
		for _, d := range s.Directors {
			if d.Host == second {
				d.MustQuorate("drain", "director", d.Name)
			}
		}
		s.owner(t, 10*time.Second, s.directors(first, second)...)
	})
	t.Run("all directors drain: the foreign router serves without a gap, until one does not", func(t *testing.T) {
		i := slices.IndexFunc(s.Directors, func(d *lab.Director) bool { return d.Host != first && d.Host != second })
		last := s.Directors[i]
		probe := s.Client.Probe(lab.Probe{To: s.cell.virtual(), Interval: 5 * time.Millisecond})
		named := routerWith(fmt.Sprintf(`peer "%s" {}`, s.cell.base(peerNumber)))
		last.MustQuorate("apply", last.WriteFile("cluster.hcl", named), "--yes")
		for _, d := range s.Directors {
			if d.Host == first { // it is dead
				last.MustQuorate("drain", "director", d.Name)
			}
		}
		last.MustQuorate("drain", "director", last.Name) // until it owns nothing
		s.owner(t, slack, s.foreign.on)
		if r := probe.Close(); r.Longest > slack/2+r.Stall {
			t.Errorf("the client: %v", r)
		}
		for _, h := range s.directors(second) {
			last.MustQuorate("enable", "director", h.Name)
		}
		s.owner(t, s.cell.Down(high)+3*slack, last.Host)
		last.MustQuorate("apply", last.WriteFile("cluster.hcl", routerFile), "--yes")
	})
	if t.Failed() {
		return
	}
	t.Run("all directors die: the foreign router serves", func(t *testing.T) {
		for _, h := range s.directors(first) {
			h.Die()
		}
		s.owner(t, s.cell.Down(110)+3*slack, s.foreign.on)
	})
	t.Run("the directors return: one of them takes the address back", func(t *testing.T) {
		var agents []*lab.Process
		for _, d := range s.Directors {
			d.Revive()
			agents = append(agents, d.StartAgent(t))
		}
		for i, d := range s.Directors {
			d.AwaitAgent(t, agents[i])
		}
		s.AwaitReady(t, 40*time.Second)
		s.owner(t, 20*time.Second, s.directors()...)
	})
	t.Run("a foreign router above the bands takes it, and gives it back when it stops", func(t *testing.T) {
		s.foreign.Set(at(254))
		s.owner(t, 10*time.Second, s.foreign.on)
		lab.Eventually(t, 10*time.Second, "V81 an event names it with its MAC address", func() error {
			want := fmt.Sprintf("%s has the MAC address %v", s.cell.base(peerNumber), s.foreign.on.MAC(s.segment))
			var all strings.Builder
			for _, d := range s.Directors {
				all.WriteString(d.MustQuorate("events"))
			}
			if !strings.Contains(all.String(), want) {
				return fmt.Errorf("no %q in\n%s", want, all.String())
			}
			return nil
		})
		s.foreign.Stop()
		s.owner(t, 10*time.Second, s.directors()...)
	})
}
