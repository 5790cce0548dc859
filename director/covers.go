package director

import (
	"context"
	"time"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/director/mutant"
)

// Covers counts how many of another director's connections this kernel has, and how many were looked for: none where connections
// are not synchronised.
func (d *Director) Covers(conns []ipvs.Conn) (have, total int, err error) {
	if !d.covering(conns) {
		return 0, 0, nil
	}
	own, err := d.cfg.Kernel.Conns()
	if err != nil {
		return 0, 0, err
	}
	have, _ = covered(own, conns)
	return have, len(conns), nil
}

// Arrived is [Director.Covers] for connections that were injected just now: it waits a moment for a share of them to be there.
func (d *Director) Arrived(ctx context.Context, conns []ipvs.Conn, share float64) (have, total int, err error) {
	if !d.covering(conns) {
		return 0, 0, nil
	}
	have, err = arrived(ctx, d.cfg.Kernel.Conns, conns, share)
	return have, len(conns), err
}

// covering reports whether this kernel should have any of the connections.
func (d *Director) covering(conns []ipvs.Conn) bool {
	return len(conns) > 0 && d.Synchronises() && !mutant.On(mutant.BreakFirst)
}

// Synchronises reports whether this kernel is to have the connections of others: the sync daemons are asked for, and it has IPVS.
func (d *Director) Synchronises() bool { return d.cfg.SyncOn != "" && d.HasIPVS() }

// What was injected may take up to arriveLimit to be in the table: usually it is there at once, but a busy kernel may take a
// while to hand the packets to the socket of its sync daemon, so that an empty socket proves nothing. The table is looked at
// again after arrivePause, then after twice as long each time, but arriveAgain at most, since it may be large.
const (
	arriveLimit = 2 * time.Second
	arrivePause = 5 * time.Millisecond
	arriveAgain = 160 * time.Millisecond
)

// arrived looks at a table until a share of the connections is there, or all that can be expected, and returns how many are.
func arrived(ctx context.Context, table func() ([]ipvs.Conn, error), conns []ipvs.Conn, share float64) (have int, err error) {
	ctx, cancel := context.WithTimeout(ctx, arriveLimit)
	defer cancel()
	for pause := arrivePause; ; pause = min(2*pause, arriveAgain) {
		own, err := table()
		if err != nil {
			return 0, err
		}
		have, all := covered(own, conns)
		if all || float64(have)/float64(len(conns)) >= share {
			return have, nil
		}
		select {
		case <-ctx.Done():
			return have, nil
		case <-time.After(pause):
		}
	}
}

// covered counts the connections that a table has. All is true if no more can be expected: those that are missing cannot be
// injected, or may have ended meanwhile.
func covered(own, conns []ipvs.Conn) (have int, all bool) {
	here := make(map[ipvs.ConnKey]bool, len(own))
	for _, c := range own {
		here[c.Key()] = true
	}
	all = true
	for _, c := range conns {
		switch {
		case here[c.Key()]:
			have++
		case c.Syncs() && time.Duration(c.Expires)*time.Second > arriveLimit:
			all = false
		}
	}
	return have, all
}
