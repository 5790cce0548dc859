package groups

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// Path is where a director answers questions about a group, with the group's name behind it.
const Path = "/peer/group/"

// begin begins an action. What takes time goes on aside, and its outcome is an event.
func (d *Driver) begin(g *gathered, spec fsm.Group, x *group, a ownership.Action) {
	switch a := a.(type) {
	case ownership.Ask:
		if a.Kind == ownership.Attest {
			d.attest(x, a)
			return
		}
		d.aside(x, a.ID, a.Within, func(ctx context.Context, out *ownership.Done) error {
			return d.cfg.Ask(ctx, a.To, Path+url.PathEscape(x.name), a.Question, &out.Word)
		})
	case ownership.Probe:
		d.aside(x, a.ID, a.Within, func(ctx context.Context, out *ownership.Done) error {
			out.Segments = d.probe(ctx, g, spec, a.Routers)
			return nil
		})
	case ownership.Verify:
		d.aside(x, a.ID, a.Within, func(ctx context.Context, out *ownership.Done) error {
			out.OK = d.cfg.Keeper.Verifies(ctx, a.Within)
			return nil
		})
	case ownership.Pull:
		d.aside(x, a.ID, a.Within, func(ctx context.Context, _ *ownership.Done) error { return d.pull(ctx, a.From, a.Whole, a.Share) })
	case ownership.Propose:
		if o, ok := a.Command.(fsm.SetOwner); ok && o.Owner == d.cfg.Self {
			if from := g.State.Groups[x.name].Owner; from != "" && from != d.cfg.Self && !d.pulledLately(from) {
				d.chase(from)
			}
		}
		d.aside(x, a.ID, a.Within, func(ctx context.Context, _ *ownership.Done) error {
			if err := d.cfg.Propose(ctx, a.Command); !errors.Is(err, fsm.ErrStale) {
				return err
			}
			return nil // somebody else has told the log
		})
	case ownership.Tell:
		d.cfg.Tell(x.name, a)
	case ownership.Reply:
		if reply := x.replies[a.ID]; reply != nil {
			delete(x.replies, a.ID)
			reply <- a
		}
	default:
		decided := d.cfg.Uptime()
		x.keeper.add(d.cfg.Go, func() {
			if !d.stale(x, a, decided) {
				d.order(x, a)
			}
		})
	}
}

// stale is for how long what others wait for may wait for what the keeper was asked before. They have given up then.
const stale = 500 * time.Millisecond

var errStale = errors.New("the keeper did not answer what it was asked before in time")

// stale reports whether an order has waited for too long to be given, and tells the machine so: a frozen keeper would
// carry out a claim when it goes on, as one would after the host was suspended.
func (d *Driver) stale(x *group, a ownership.Action, decided time.Duration) bool {
	var id uint64
	switch a := a.(type) {
	case ownership.Claim:
		id = a.ID
	case ownership.Grant:
		id = a.ID
	case ownership.Concede:
		id = a.ID
	}
	if id == 0 || d.cfg.Uptime()-decided <= stale {
		return false
	}
	d.done(x, ownership.Done{ID: id, Err: errStale})
	return true
}

// order has the keeper do something. Once the driver ends, nothing is begun but what gives up.
func (d *Driver) order(x *group, a ownership.Action) {
	k, ctx, name := d.cfg.Keeper, d.ctx, x.name
	if _, resigns := a.(ownership.Resign); ctx.Err() != nil && !resigns {
		return
	}
	var err error
	switch a := a.(type) {
	case ownership.Claim:
		d.done(x, ownership.Done{ID: a.ID, Err: k.Claim(ctx, name, a.Priority)})
	case ownership.Grant:
		if mutant.On(mutant.BreakFirst) {
			k.Resign(ctx, name, false)
			d.done(x, ownership.Done{ID: a.ID, Err: errors.New("gave up before anybody took over")})
			return
		}
		ok, err := k.Yield(ctx, name, a.Wait)
		d.done(x, ownership.Done{ID: a.ID, OK: ok, Err: err})
	case ownership.Concede:
		ok, err := k.Concede(ctx, name)
		d.done(x, ownership.Done{ID: a.ID, OK: ok, Err: err})
	case ownership.Unclaim:
		err = k.Unclaim(ctx, name)
	case ownership.HoldTimer:
		err = k.Hold(ctx, name, a.For)
	case ownership.Renew:
		err = k.Renew(ctx, name)
	case ownership.Resign:
		k.Resign(ctx, name, a.Linger)
	}
	if err != nil {
		d.cfg.Log.Debug("the keeper was not told", "group", name, "err", err)
	}
}

// aside does something that takes up to a limit, and tells the machine how it came out.
func (d *Driver) aside(x *group, id uint64, limit time.Duration, do func(context.Context, *ownership.Done) error) {
	d.cfg.Go(func() {
		ctx, cancel := context.WithTimeout(d.ctx, limit)
		defer cancel()
		out := ownership.Done{ID: id}
		out.Err = do(ctx, &out)
		d.done(x, out)
	})
}

// queue runs funcs one after the other, and none while there is nothing to do.
type queue struct {
	mu      sync.Mutex
	waiting []func()
	runs    bool
}

func (q *queue) add(start func(func()), f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, f)
	if !q.runs {
		q.runs = true
		start(q.run)
	}
}

func (q *queue) run() {
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.runs = false
			q.mu.Unlock()
			return
		}
		f := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		f()
	}
}
