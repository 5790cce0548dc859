package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// ErrGone says that the keeper is not there any more.
var ErrGone = errors.New("the keeper is gone")

// Client speaks to a keeper. Its methods may be called concurrently. What is asked about a group is not done any more
// once its context has reached its deadline, though the keeper may be frozen, and read it later.
type Client struct {
	conn    net.Conn
	changed chan struct{}
	done    chan struct{}

	mu     sync.Mutex
	id     uint64
	calls  map[uint64]chan reply
	status Status
}

// Dial connects to the keeper that serves the socket. Close, or the keeper's end, ends the client.
func Dial(path string) (*Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("connect to the keeper: %w", err)
	}
	c := &Client{
		conn: conn, changed: make(chan struct{}, 1), done: make(chan struct{}), calls: map[uint64]chan reply{},
	}
	go c.read()
	return c, nil
}

// Close ends the client, and waits until nothing of it runs. The keeper keeps what it has.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.done
	return err
}

// Done is closed when the keeper is gone, or the client closed.
func (c *Client) Done() <-chan struct{} { return c.done }

// Changed is poked when something has changed: call Latest or Status then.
func (c *Client) Changed() <-chan struct{} { return c.changed }

// Latest returns the status that was sent at the last change, without asking.
func (c *Client) Latest() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Set gives the whole order. Given again it changes nothing.
func (c *Client) Set(ctx context.Context, o Order) error {
	if _, err := c.call(ctx, request{Op: opSet, Order: &o}); err != nil {
		return fmt.Errorf("give the order to the keeper: %w", err)
	}
	return nil
}

// claimWait is how long a keeper may take to begin a claim. An owner that was asked to yield goes on after that.
const claimWait = 500 * time.Millisecond

// Claim makes a group Active here, with three adverts of the priority at once, and returns when the
// addresses are added and announced. The priority holds until an order brings another epoch or
// priority, or the group is not Active any more, or Unclaim ends it, and for [ClaimLasts] at most.
func (c *Client) Claim(ctx context.Context, group string, priority uint8) error {
	_, err := c.call(ctx, request{Op: opClaim, Group: group, Priority: priority}.given(ctx, claimWait))
	return err
}

// Yield has an Active group wait for a member's claim: if its advert arrives within wait, the
// addresses stay a moment longer than the state, else nothing has changed. False: the group is not
// Active here.
func (c *Client) Yield(ctx context.Context, group string, wait time.Duration) (bool, error) {
	r, err := c.call(ctx, request{Op: opYield, Group: group, Wait: wait}.given(ctx, 0))
	return r.Yields, err
}

// Resign gives a group up with priority 0. It is not taken again for one Active_Down_Interval. Where another
// claims it now, the addresses linger: they stay a moment longer than the state.
func (c *Client) Resign(ctx context.Context, group string, linger bool) error {
	_, err := c.call(ctx, request{Op: opResign, Group: group, Linger: linger}.given(ctx, 0))
	return err
}

// Concede gives a group that is Active up to a member's claim that may not be heard here; the addresses
// stay a moment longer than the state. False: the group was not Active here, and nothing has changed.
func (c *Client) Concede(ctx context.Context, group string) (bool, error) {
	r, err := c.call(ctx, request{Op: opConcede, Group: group}.given(ctx, 0))
	return r.Yields, err
}

// Unclaim has a group go on with the priority of its order where it has that of a claim.
func (c *Client) Unclaim(ctx context.Context, group string) error {
	_, err := c.call(ctx, request{Op: opUnclaim, Group: group}.given(ctx, 0))
	return err
}

// Renew has a group that is Active say at once that it is here, and where its addresses are.
func (c *Client) Renew(ctx context.Context, group string) error {
	_, err := c.call(ctx, request{Op: opRenew, Group: group}.given(ctx, 0))
	return err
}

// Hold keeps a group that is Backup from taking over by its timer for d: somebody else is known to
// serve. Zero ends the hold. A claim is not held.
func (c *Client) Hold(ctx context.Context, group string, d time.Duration) error {
	_, err := c.call(ctx, request{Op: opHold, Group: group, Wait: d}.given(ctx, 0))
	return err
}

// Status asks what the keeper heard and did.
func (c *Client) Status(ctx context.Context) (Status, error) {
	r, err := c.call(ctx, request{Op: opStatus})
	if err != nil {
		return Status{}, fmt.Errorf("ask the keeper for its status: %w", err)
	}
	return *r.Status, nil
}

// StopWait is for how long a keeper that is told to stop may take to begin.
const StopWait = 10 * time.Second

// Stop ends the keeper's process and returns when it has ended its work. With release it resigns and
// removes the addresses; without, they stay for their lifetime, and a keeper that starts within it
// goes on. A keeper that is frozen does it if it goes on within [StopWait], and as long as ctx lasts: later, the next control may be
// there, which did not ask for it.
func (c *Client) Stop(ctx context.Context, release bool) error {
	if _, err := c.call(ctx, request{Op: opStop, Release: release}.given(ctx, StopWait)); err != nil && !errors.Is(err, ErrGone) {
		return fmt.Errorf("stop the keeper: %w", err)
	}
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the keeper: %w", ctx.Err())
	}
}

func (c *Client) call(ctx context.Context, q request) (reply, error) {
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.id++
	q.ID = c.id
	c.calls[q.ID] = answer
	b, err := json.Marshal(q)
	if err == nil {
		err = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
	}
	if err == nil {
		_, err = c.conn.Write(append(b, '\n'))
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, q.ID)
	}()
	if err != nil {
		return reply{}, errors.Join(ErrGone, err)
	}
	select {
	case r := <-answer:
		if r.Error != "" {
			return r, errors.New(r.Error)
		}
		return r, nil
	case <-c.done:
		return reply{}, ErrGone
	case <-ctx.Done():
		return reply{}, ctx.Err()
	}
}

func (c *Client) read() {
	defer close(c.done)
	defer c.conn.Close()
	lines := bufio.NewScanner(c.conn)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var r reply
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return
		}
		c.mu.Lock()
		if r.Status != nil {
			c.status = *r.Status
		}
		if answer := c.calls[r.ID]; r.ID != 0 && answer != nil {
			answer <- r
		}
		c.mu.Unlock()
		if r.ID == 0 {
			poke(c.changed)
		}
	}
}
