package groups

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// pulls are those of the connections of other directors. What one has are the connections of all of its groups, so
// that a hundred groups that move together must not pull them a hundred times: of one director one pull is under
// way at a time, and all who come meanwhile share the next.
type pulls struct {
	mu   sync.Mutex
	next map[string]*pulling // by director: not begun yet
	last map[string]*pulling // by director: begun last

	chased map[string]*chasing // by director
}

type pulling struct {
	whole bool    // all is wanted, and how many are here; until it begins
	share float64 // of all, that is to be here: the most that one wants
	done  chan struct{}
	cover Coverage  // when done
	err   error     // likewise
	at    time.Time // likewise
}

// Coverage is how many of another director's connections this one has.
type Coverage struct{ Have, Total int }

// Share is the share of the connections that are here: 1 if there are none.
func (c Coverage) Share() float64 {
	if c.Total == 0 {
		return 1
	}
	return float64(c.Have) / float64(c.Total)
}

// pull brings the connections here that a director has now or a moment later: whole, all of them, and then it is an error if less
// than a share of them is here, or those that are new.
func (d *Driver) pull(ctx context.Context, from string, whole bool, least float64) error {
	p := d.joinPull(from, whole, least)
	select {
	case <-p.done:
		if p.err == nil && p.cover.Share() < least {
			return fmt.Errorf("%d of %d are here, less than %.0f%%", p.cover.Have, p.cover.Total, 100*least)
		}
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// joinPull returns the pull that is to begin next. It is of all connections if that is wanted by one who waits for it.
func (d *Driver) joinPull(from string, whole bool, share float64) *pulling {
	ps := &d.pulls
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.next[from]; p != nil {
		p.whole, p.share = p.whole || whole, max(p.share, share)
		return p
	}
	p, before := &pulling{whole: whole, share: share, done: make(chan struct{})}, ps.last[from]
	ps.next[from] = p
	d.cfg.Go(func() {
		defer close(p.done)
		if before != nil {
			<-before.done
		}
		ps.mu.Lock()
		delete(ps.next, from)
		ps.last[from] = p
		whole, share := p.whole, p.share
		ps.mu.Unlock()
		ctx, cancel := context.WithTimeout(d.ctx, ownership.MoveLimit)
		defer cancel()
		p.cover, p.err = d.cfg.Pull(ctx, from, whole, share)
		p.at = time.Now()
	})
	return p
}

// Those who began a connection send again for some seconds: so long an owner that could not be asked for its
// connections is asked again after its group was taken from it, and an answer is worth having.
const (
	chaseFor   = 10 * time.Second
	chaseEvery = 250 * time.Millisecond
	lately     = time.Second // what was brought then is all that there is
)

// chasing is that a former owner's connections are to be here, all that there will be.
type chasing struct {
	final time.Time // what it has then is all: it has dropped the addresses
	until time.Time
}

// chase brings the connections here that a former owner has, whose control may be away: as soon as it answers, and once
// more when it can have no new ones. Of one director there is one chase, for all of its groups.
func (d *Driver) chase(from string) {
	ps := &d.pulls
	ps.mu.Lock()
	defer ps.mu.Unlock()
	now := time.Now()
	c := ps.chased[from]
	if c == nil {
		c = &chasing{}
		ps.chased[from] = c
		d.cfg.Go(func() {
			for wait := d.chaseOnce(from, c); wait > 0; wait = d.chaseOnce(from, c) {
				pause(d.ctx, wait)
			}
		})
	}
	c.final, c.until = now.Add(ownership.PushAfter), now.Add(chaseFor)
}

// chaseOnce asks a former owner once, and returns when to do so again; 0: no more.
func (d *Driver) chaseOnce(from string, c *chasing) (wait time.Duration) {
	began := time.Now()
	err := d.pull(d.ctx, from, false, 0)
	ps := &d.pulls
	ps.mu.Lock()
	defer ps.mu.Unlock()
	now := time.Now()
	switch {
	case d.ctx.Err() != nil, now.After(c.until), err == nil && !began.Before(c.final):
		delete(ps.chased, from)
		return 0
	case err != nil:
		return chaseEvery
	}
	return max(c.final.Sub(now), time.Millisecond)
}

// lookOwned has the connections of the former owner fetched when this director has come to own a group. Whoever it is need
// not be the one of the log: where nothing is agreed the wire alone knows. A move fetches them itself.
func (d *Driver) lookOwned(x *group, f ownership.Facts) {
	was := x.part
	x.part = f.Keeper.Part
	switch {
	case x.part == ownership.Standby:
		x.former = former(f)
	case x.part == ownership.Owner && was == ownership.Standby && !x.machine.Fetches():
		for _, from := range x.former {
			d.chase(from)
		}
	}
}

// former are those who own a group beside this director: whom it hears, or the one that the log names.
func former(f ownership.Facts) (names []string) {
	for _, r := range f.Keeper.Routers {
		if r.Heard != "" && !slices.Contains(names, r.Heard) {
			names = append(names, r.Heard)
		}
	}
	if len(names) == 0 && f.Log.Owner != "" && f.Log.Owner != f.Self {
		names = []string{f.Log.Owner}
	}
	return names
}

// pulledLately reports whether the newest connections of a director are here.
func (d *Driver) pulledLately(from string) bool {
	d.pulls.mu.Lock()
	p := d.pulls.last[from]
	d.pulls.mu.Unlock()
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return p.err == nil && time.Since(p.at) < lately
	default:
		return false
	}
}
