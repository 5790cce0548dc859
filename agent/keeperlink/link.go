// Package keeperlink is control's side of the keeper: it keeps a connection to that process, starts it if
// none is there, and gives it its orders.
//
// It promises that a keeper ends with the newest order, whatever connections come and go; that one which
// does not answer counts as gone, and what it said last as over; and that no call waits for it for longer
// than a moment. It never ends a keeper but by [Link.Stop].
package keeperlink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/director/probe"
)

// ErrNoKeeper means that there is no keeper to give an order to right now.
var ErrNoKeeper = errors.New("the keeper does not answer")

// patience is how long a keeper may take for an answer. One that takes longer is frozen: it counts
// as gone until it answers again.
const patience = 3 * time.Second

// grace is how long control, when it has just come, leaves to a keeper that somebody else starts at the same moment: it is a
// process before it has its lock. One that dies later is started again at once, and so is one that has left its socket: it was
// killed, and its addresses end soon.
const grace = 100 * time.Millisecond

// Link keeps a connection to the keeper process, and starts that process if none is there.
type Link struct {
	socket string
	argv   []string // starts a keeper; empty: it is somebody else's to start
	log    hclog.Logger
	grace  time.Duration
	come   time.Time // when it was first looked for a keeper; of Run alone

	giving sync.Mutex // held while an order is given, from its choice on: the keeper must end with the newest

	mu     sync.Mutex
	dialed *keeper.Client // is connected, whether it has answered yet or not
	client *keeper.Client // has answered
	last   keeper.Status
	gave   map[string]time.Time // when it said first of a group that it has no addresses of it any more
	asked  *answer              // that is awaited; nil: nobody asks whether it hangs
	order  *keeper.Order        // what the keeper is to do; it is told again after each connect
	ending bool                 // the keeper is told to stop: no other is started

	running int // keepers that were started here, and have not ended

	news chan struct{} // capacity 1
}

// New returns a link to the keeper that serves a socket. Argv starts one where there is none; empty: it is
// somebody else's to start.
func New(socket string, argv []string, log hclog.Logger) *Link {
	return &Link{socket: socket, argv: argv, log: log, grace: grace, gave: map[string]time.Time{}, news: make(chan struct{}, 1)}
}

// lookEvery is how often the keeper is asked though it says nothing.
const lookEvery = time.Second

// Run attaches to the keeper, and again whenever the connection ends or it does not answer, until ctx
// ends. The keeper outlives it.
func (k *Link) Run(ctx context.Context) error {
	said := ""
	for ctx.Err() == nil && !k.stopping() {
		c, err := k.connect(ctx)
		if err != nil {
			if text := err.Error(); text != said {
				said = text
				k.log.Error("no keeper", "err", err)
			}
			sleep(ctx, k.pause())
			continue
		}
		said = ""
		err = k.serve(ctx, c)
		k.lost()
		_ = c.Close()
		if err != nil && ctx.Err() == nil && !k.stopping() {
			k.log.Warn("the keeper is lost", "err", err)
			sleep(ctx, 20*time.Millisecond)
		}
	}
	return nil
}

// pause is how long to wait for a keeper that is not there: one that somebody else starts may come any time.
func (k *Link) pause() time.Duration {
	if len(k.argv) == 0 {
		return 50 * time.Millisecond
	}
	return time.Second
}

// lost notes that there is no keeper: what it said last is not true any more.
func (k *Link) lost() {
	k.mu.Lock()
	k.dialed, k.client, k.last = nil, nil, keeper.Status{}
	clear(k.gave)
	k.mu.Unlock()
	k.ring()
}

// connect dials the keeper. If nobody answers, it starts one, unless one has the lock of the socket already, which somebody
// else has just started; and dials until that answers.
func (k *Link) connect(ctx context.Context) (*keeper.Client, error) {
	var exited <-chan error // of the one that was started here
	if k.come.IsZero() {
		k.come = time.Now()
	}
	for end := time.Now().Add(patience); ; {
		c, err := keeper.Dial(k.socket)
		if err == nil || len(k.argv) == 0 {
			return c, err
		}
		died := errors.Is(err, syscall.ECONNREFUSED) // one that ends takes its socket with it
		switch held := keeper.Held(k.socket); {
		case exited == nil && !held && (died || time.Since(k.come) >= k.grace):
			if exited, err = k.spawn(); err != nil {
				return nil, err
			}
		case exited == nil && held && time.Now().After(end):
			return nil, fmt.Errorf("a keeper has the lock of its socket, and does not listen: %w", err)
		}
		select {
		case err := <-exited:
			if !keeper.Held(k.socket) {
				return nil, fmt.Errorf("keeper ended at its start: %w", err)
			}
			exited = nil // another was faster
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// spawn starts a keeper in a session of its own, so that it outlives control whatever ends that.
func (k *Link) spawn() (<-chan error, error) {
	cmd := exec.Command(k.argv[0], k.argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if mutant.On(mutant.OneProcess) {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := k.startUnlessEnding(cmd); err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	k.log.Info("keeper started", "pid", cmd.Process.Pid)
	exited := make(chan error, 1)
	go func() { // ends with the keeper; reaps it
		err := cmd.Wait()
		k.mu.Lock()
		k.running--
		k.mu.Unlock()
		k.log.Warn("keeper ended", "pid", cmd.Process.Pid, "state", cmd.ProcessState)
		if err == nil {
			err = errors.New("exit status 0")
		}
		exited <- err
	}()
	return exited, nil
}

func (k *Link) startUnlessEnding(cmd *exec.Cmd) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ending {
		return errors.New("it was told to stop")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	k.running++
	return nil
}

// serve gives a new connection the standing order and copies the keeper's status, until the connection
// ends or the keeper does not answer.
func (k *Link) serve(ctx context.Context, c *keeper.Client) error {
	k.mu.Lock()
	k.dialed = c
	k.mu.Unlock()
	var before keeper.Status
	for first, told := true, true; ; first = false {
		asked := time.Now()
		st, err := status(ctx, c)
		if err != nil {
			return err
		}
		if first {
			if err := k.begin(ctx, c, asked, st); err != nil {
				k.log.Error("keeper did not take its orders", "err", err)
			}
		} else {
			k.mu.Lock()
			k.said(c, asked, st)
			k.mu.Unlock()
		}
		if told || !st.Alike(before) {
			k.ring()
		}
		before, told = st, false
		select {
		case <-ctx.Done():
			return nil
		case <-c.Done():
			return keeper.ErrGone
		case <-c.Changed():
			told = true
		case <-time.After(time.Until(probe.Next(time.Now(), lookEvery))): // when control is awake anyway
		}
	}
}

// said notes what a keeper answered. Of two answers the one that was asked for later holds, whichever comes first: what it
// lacks the keeper has changed since, and says so. It is called with mu held.
func (k *Link) said(c *keeper.Client, asked time.Time, st keeper.Status) {
	if c != k.client || asked.Before(k.last.Time) {
		return
	}
	st.Time = asked // by this process's own clock: what time it is may be set anew
	for _, group := range kept(k.last) {
		k.gave[group] = asked
	}
	for _, group := range kept(st) {
		delete(k.gave, group)
	}
	k.last = st
}

// begin gives the standing order to a keeper that is there anew and has answered: from then on it is attached, and what it
// says is known. Until the state is known there is no order, and the keeper goes on with what it recorded.
func (k *Link) begin(ctx context.Context, c *keeper.Client, asked time.Time, st keeper.Status) error {
	k.giving.Lock()
	defer k.giving.Unlock()
	k.mu.Lock()
	k.client = c // who gives the next order gives it to this one, after this
	k.said(c, asked, st)
	order := k.order
	k.mu.Unlock()
	if order == nil {
		return nil
	}
	return give(ctx, c, *order)
}

func status(ctx context.Context, c *keeper.Client) (keeper.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.Status(ctx)
}

func give(ctx context.Context, c *keeper.Client, o keeper.Order) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.Set(ctx, o)
}
