package interop

import (
	"context"
	"path/filepath"
	"syscall"
	"time"

	"github.com/quorate/quorate/director/keeper"
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
}

// group is the name of the one group.
const group = "gateway"

// order maps a cell and its settings to what the keeper is told.
func (c Cell) order(s Settings) keeper.Order {
	return keeper.Order{Groups: []keeper.Group{{
		Name: group, Priority: uint8(s.Priority), Preempt: true, Routers: []keeper.Router{c.router(s)},
	}}}
}

// router is the cell's router. A cell's version, unicast, password and virtual MAC go in here.
func (c Cell) router(s Settings) keeper.Router {
	return keeper.Router{Name: group, VRID: vrid, Interface: "eth0", Addresses: s.Addresses, Interval: s.Interval}
}

// Host implements [Speaker].
func (q *quorate) Host() *lab.Host { return q.on.Host }

// Start implements [Speaker].
func (q *quorate) Start(s Settings) {
	q.t.Helper()
	q.hangUp()
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

// hangUp ends the connection to a keeper that is gone.
func (q *quorate) hangUp() {
	if q.client != nil {
		_ = q.client.Close() // the other end may be gone for long
		q.client = nil
	}
}
