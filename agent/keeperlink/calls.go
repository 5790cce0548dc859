package keeperlink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/director/keeper"
)

// clearLimit is how long a keeper that is to give everything up is waited for.
const clearLimit = 10 * time.Second

// Want notes what the keeper is to do, for when it is there.
func (k *Link) Want(o keeper.Order) { k.note(o) }

// Set gives the keeper its orders, now or when it is there again.
func (k *Link) Set(ctx context.Context, o keeper.Order) error {
	k.giving.Lock()
	defer k.giving.Unlock()
	c := k.note(o)
	if c == nil {
		return ErrNoKeeper
	}
	return give(ctx, c, o)
}

// Clear has the keeper give everything up, and waits a while for it to be there.
func (k *Link) Clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, clearLimit)
	defer cancel()
	for {
		err := k.Set(ctx, keeper.Order{})
		if !errors.Is(err, ErrNoKeeper) {
			return err
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("the membership has ended, but %w: virtual addresses that it left here end with their lifetime", err)
		}
	}
}

// note notes what the keeper is to do, and returns the keeper, or nil if none is attached.
func (k *Link) note(o keeper.Order) *keeper.Client {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.order = &o
	return k.client
}

// Changed is poked when the keeper says something else, or is there or gone.
func (k *Link) Changed() <-chan struct{} { return k.news }

func (k *Link) ring() {
	select {
	case k.news <- struct{}{}:
	default:
	}
}

// sleep waits for d, or until ctx ends; it reports whether all of d passed.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (k *Link) Attached() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.client != nil
}

func (k *Link) Status() keeper.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// Active reports whether this host owns a group.
func (k *Link) Active(group string) bool {
	g, _ := k.Status().Group(group)
	return g.State == "active"
}

// Owned returns the groups that this host owns, as far as that is known: not of a keeper that is there and does not answer, nor of
// one that is about to be, since it is started here and nobody has told it to stop.
func (k *Link) Owned() (names []string, known bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil {
		return nil, (k.ending || len(k.argv) == 0) && !keeper.Held(k.socket)
	}
	for _, g := range k.last.Groups {
		if g.State == "active" {
			names = append(names, g.Name)
		}
	}
	return names, true
}

// Kept are the groups of which the keeper said last to have addresses on this host: those that it owns, those that
// linger since it gave them up, and those that it found when it was started and goes on with if nobody else is heard.
func (k *Link) Kept() []string { return kept(k.Status()) }

func kept(s keeper.Status) []string {
	var names []string
	for _, g := range s.Groups {
		if g.State == "active" || slices.ContainsFunc(g.Routers, func(r keeper.RouterStatus) bool { return r.Present }) {
			names = append(names, g.Name)
		}
	}
	return names
}

// Leaves are the groups that the keeper has given up so lately that their addresses may still be there: it says so when it asks
// its kernel to remove them, and may be frozen before that is done.
func (k *Link) Leaves() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.order == nil {
		return nil
	}
	var names []string
	for _, g := range k.order.Groups {
		at, gave := k.gave[g.Name]
		if gave && slices.ContainsFunc(g.Routers, func(r keeper.Router) bool { return time.Since(at) < keeper.Lifetime(r.Interval) }) {
			names = append(names, g.Name)
		}
	}
	return names
}

func (k *Link) current() (*keeper.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil {
		return nil, ErrNoKeeper
	}
	return k.client, nil
}

// call asks the keeper that is there, and does not wait for ever.
func (k *Link) call(ctx context.Context, ask func(context.Context, *keeper.Client) error) error {
	c, err := k.current()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return ask(ctx, c)
}

// Claim is [keeper.Client.Claim].
func (k *Link) Claim(ctx context.Context, group string, priority uint8) error {
	return k.call(ctx, func(ctx context.Context, c *keeper.Client) error { return c.Claim(ctx, group, priority) })
}

// Yield is [keeper.Client.Yield].
func (k *Link) Yield(ctx context.Context, group string, wait time.Duration) (ok bool, err error) {
	err = k.call(ctx, func(ctx context.Context, c *keeper.Client) error {
		ok, err = c.Yield(ctx, group, wait)
		return err
	})
	return ok, err
}

// Concede gives a group up to a claim that may not be heard.
func (k *Link) Concede(ctx context.Context, group string) (ok bool, err error) {
	err = k.call(ctx, func(ctx context.Context, c *keeper.Client) error {
		ok, err = c.Concede(ctx, group)
		return err
	})
	return ok, err
}

// Unclaim is [keeper.Client.Unclaim].
func (k *Link) Unclaim(ctx context.Context, group string) error {
	return k.call(ctx, func(ctx context.Context, c *keeper.Client) error { return c.Unclaim(ctx, group) })
}

// Renew is [keeper.Client.Renew].
func (k *Link) Renew(ctx context.Context, group string) error {
	return k.call(ctx, func(ctx context.Context, c *keeper.Client) error { return c.Renew(ctx, group) })
}

// Hold keeps a group from taking over by its timer for a while; 0 ends that.
func (k *Link) Hold(ctx context.Context, group string, d time.Duration) error {
	return k.call(ctx, func(ctx context.Context, c *keeper.Client) error { return c.Hold(ctx, group, d) })
}

// Resign gives a group up at once, whoever takes it. Its addresses linger where another claims it now.
func (k *Link) Resign(ctx context.Context, group string, linger bool) {
	err := k.call(ctx, func(ctx context.Context, c *keeper.Client) error { return c.Resign(ctx, group, linger) })
	if err != nil {
		k.log.Warn("group not given up", "group", group, "err", err)
	}
}

// Stop ends the keeper process, and one that was started here and does not listen yet. With release it gives its addresses up at
// once; else they stay until their lifetime ends. One that does not answer is told, and does it if it goes on as long as ctx
// lasts, [keeper.StopWait] at most; it is an error if it does not.
func (k *Link) Stop(ctx context.Context, release bool) error {
	k.mu.Lock()
	k.ending = true
	c := k.client
	k.mu.Unlock()
	if c != nil {
		return c.Stop(ctx, release)
	}
	for k.starts() || keeper.Held(k.socket) {
		c, err := keeper.Dial(k.socket)
		if err == nil {
			defer c.Close()
			return c.Stop(ctx, release)
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("stop the keeper: %w", err)
		}
	}
	return nil // none is running
}

// starts reports whether a keeper runs that was started here, whether it has the lock of its socket yet or not.
func (k *Link) starts() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.running > 0
}

func (k *Link) stopping() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ending
}

// Verifies reports whether the keeper is there and answers, and [Link.Status] is what it answered, or newer: one that was
// frozen goes on, and may own nothing any more. One that is lost while it is asked says nothing of what the next one has.
func (k *Link) Verifies(ctx context.Context, within time.Duration) bool {
	return k.Attached() && k.answer(ctx, within).said && k.Attached()
}

// Answers reports whether the keeper does not hang. One that is not there is not frozen: what it had is taken
// up by the next. What an attached one answers is its status from then on.
// It may be asked about each of a thousand groups at once: who asks while an answer is awaited waits for that one.
func (k *Link) Answers(ctx context.Context, within time.Duration) bool {
	return !k.answer(ctx, within).hangs
}

// answer asks the keeper for its status, or waits for what another who asks is answered.
func (k *Link) answer(ctx context.Context, within time.Duration) outcome {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	k.mu.Lock()
	c, other := k.dialed, k.asked
	if c == nil {
		k.mu.Unlock()
		return outcome{}
	}
	own := &answer{from: c, done: make(chan struct{})}
	if other == nil {
		k.asked = own
	}
	k.mu.Unlock()
	if other != nil && other.from == c {
		if got := other.wait(ctx); !got.hangs {
			return got
		}
	}
	asked := time.Now()
	st, err := c.Status(ctx)
	own.got = outcome{said: err == nil, hangs: errors.Is(err, context.DeadlineExceeded)}
	k.mu.Lock()
	defer k.mu.Unlock()
	defer close(own.done) // who waits for it looks at what is noted
	if err == nil {
		k.said(c, asked, st)
	}
	if k.asked == own {
		k.asked = nil
	}
	return own.got
}

// outcome is what came of a question to the keeper. One that is gone has said nothing, and does not hang.
type outcome struct{ said, hangs bool }

// answer is one that is awaited from the keeper.
type answer struct {
	from *keeper.Client
	done chan struct{} // closed when it came, or comes no more
	got  outcome       // then
}

// wait waits for an answer that another has asked for. One that did not come says nothing to who has more time.
func (a *answer) wait(ctx context.Context) outcome {
	select {
	case <-a.done:
		return a.got
	case <-ctx.Done():
		return outcome{hangs: true}
	}
}

// Ordered are the groups that the keeper is to run.
func (k *Link) Ordered() []keeper.Group {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.order == nil {
		return nil
	}
	return slices.Clone(k.order.Groups)
}
