package interop

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"syscall"
	"time"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/e2e/lab"
)

// quorate is the keeper process of the real binary, alone: it takes its orders from the test.
type quorate struct {
	t      lab.T
	cell   Cell
	on     *lab.Director
	binary string

	process *lab.Process
	client  *keeper.Client

	recorder *lab.Process // in cells with a virtual MAC
	records  []string
}

// group is the name of the one group.
const group = "gateway"

// order maps a cell and its settings to what the keeper is told.
func (c Cell) order(s Settings) keeper.Order {
	return keeper.Order{Groups: []keeper.Group{{
		Name: group, Priority: uint8(s.Priority), Preempt: true, Routers: []keeper.Router{c.router(s)},
	}}}
}

// router is the cell's router.
func (c Cell) router(s Settings) keeper.Router {
	r := keeper.Router{
		Name: group, VRID: vrid, Interface: "eth0", Addresses: s.Addresses, Interval: s.Interval,
		Version: uint8(c.Version), Unicast: c.Unicast, VirtualMAC: c.VirtualMAC,
	}
	if c.Plain {
		r.Checksum = "plain"
	}
	if c.Unicast {
		r.Neighbors = []keeper.Neighbor{{Address: netip.MustParseAddr(c.base(peerNumber))}}
		if c.V6 {
			r.Neighbors[0].MinTTL = 64 // what keepalived sends with
		}
	}
	if c.Named {
		r.Neighbors = []keeper.Neighbor{{Address: netip.MustParsePrefix(linkLocal6).Addr()}}
	}
	if c.Pass {
		r.Auth = &keeper.Auth{Kind: "password", Key: password}
	}
	return r
}

// Host implements [Speaker].
func (q *quorate) Host() *lab.Host { return q.on.Host }

// Start implements [Speaker].
func (q *quorate) Start(s Settings) {
	q.t.Helper()
	q.hangUp()
	if q.cell.VirtualMAC {
		q.record()
	}
	// A host that forwards would pass the client's packets on to the new owner, and hide a gap.
	q.on.MustRun("sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0")
	q.process = q.on.Start("keeper", q.binary, "keeper", "--config", q.on.AgentFile())
	lab.Eventually(q.t, 10*time.Second, "the keeper answers", func() (err error) {
		q.client, err = keeper.Dial(filepath.Join(q.on.Dir, "keeper.sock"))
		return err
	})
	q.Set(s)
}

// Set implements [Speaker].
func (q *quorate) Set(s Settings) {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := q.client.Set(ctx, q.cell.order(s)); err != nil {
		q.t.Fatalf("%s: %v", q.on.Name, err)
	}
}

// Stop implements [Speaker]: with a goodbye, since no other director is there to hand over to.
func (q *quorate) Stop() {
	q.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := q.client.Stop(ctx, true); err != nil {
		q.t.Fatalf("%s: %v", q.on.Name, err)
	}
	if err := q.process.Wait(ctx); err != nil {
		q.t.Fatalf("%s: %v", q.on.Name, err)
	}
	q.hangUp()
}

// Kill implements [Speaker].
func (q *quorate) Kill() {
	q.t.Helper()
	if err := q.process.Signal(syscall.SIGKILL); err != nil {
		q.t.Fatalf("%s: %v", q.on.Name, err)
	}
	q.hangUp()
}

// record captures what leaves the host, until its machine dies: with a virtual MAC, nothing in an announcement
// or a report tells whose it is.
func (q *quorate) record() {
	q.t.Helper()
	if q.recorder != nil && q.recorder.Alive() {
		return
	}
	name := fmt.Sprintf("sent-%d", len(q.records)+1)
	file := filepath.Join(q.on.Dir, name+".pcap")
	q.recorder = q.on.Start(name, "tcpdump", "-i", "eth0", "-Q", "out", "-U", "--immediate-mode", "-Z", "root", "-s", "512", "-w", file, "arp or icmp6 or ip6[6] = 0")
	q.records = append(q.records, file)
	lab.Eventually(q.t, 10*time.Second, "what leaves is captured", func() error {
		_, err := ReadCapture(file)
		return err
	})
}

// said is what left the host in ARP, ND and MLD, in the cells in which that is captured there.
func (q *quorate) said() ([]Frame, error) {
	var all []Frame
	for _, file := range q.records {
		frames, err := ReadCapture(file)
		if err != nil {
			return nil, err
		}
		all = append(all, frames...)
	}
	return all, nil
}

// drops is how many adverts the keeper dropped for a reason.
func (q *quorate) drops(why vrrp.Drop) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := q.client.Status(ctx)
	if err != nil {
		return 0, err
	}
	g, ok := s.Group(group)
	if !ok || len(g.Routers) != 1 {
		return 0, fmt.Errorf("the keeper has no router of group %s", group)
	}
	return g.Routers[0].Drops[why], nil
}

// hangUp ends the connection to a keeper that is gone.
func (q *quorate) hangUp() {
	if q.client != nil {
		_ = q.client.Close() // the other end may be gone for long
		q.client = nil
	}
}
