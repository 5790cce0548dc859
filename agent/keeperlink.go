package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/director/mutant"
)

// errNoKeeper means that there is no keeper to give an order to right now.
var errNoKeeper = errors.New("the keeper does not answer")

// keeperPatience is how long a keeper may take for an answer. One that takes longer is frozen: it counts
// as gone until it answers again.
const keeperPatience = 3 * time.Second

// keeperLink keeps a connection to the keeper process, and starts that process if none is there.
type keeperLink struct {
	socket string
	argv   []string // starts a keeper; empty: it is somebody else's to start
	log    hclog.Logger

	giving sync.Mutex // held while an order is given, from its choice on: the keeper must end with the newest

	mu     sync.Mutex
	client *keeper.Client
	last   keeper.Status
	order  *keeper.Order // what the keeper is to do; it is told again after each connect
	ending bool          // the keeper is told to stop: no other is started
	news   bell
	newsC  <-chan struct{}
}

func newKeeperLink(socket string, argv []string, log hclog.Logger) *keeperLink {
	k := &keeperLink{socket: socket, argv: argv, log: log}
	k.newsC, _ = k.news.listen()
	return k
}

// Run attaches to the keeper, and again whenever the connection ends or it does not answer, until ctx
// ends. The keeper outlives it.
func (k *keeperLink) Run(ctx context.Context) error {
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
func (k *keeperLink) pause() time.Duration {
	if len(k.argv) == 0 {
		return 50 * time.Millisecond
	}
	return time.Second
}

// lost notes that there is no keeper: what it said last is not true any more.
func (k *keeperLink) lost() {
	k.mu.Lock()
	k.client, k.last = nil, keeper.Status{}
	k.mu.Unlock()
	k.news.ring()
}

// connect dials the keeper; if nobody answers, it starts one and dials until that does.
func (k *keeperLink) connect(ctx context.Context) (*keeper.Client, error) {
	c, err := keeper.Dial(k.socket)
	if err == nil {
		return c, nil
	}
	if len(k.argv) == 0 {
		return nil, err
	}
	exited, err := k.spawn()
	if err != nil {
		return nil, err
	}
	for {
		if c, err = keeper.Dial(k.socket); err == nil {
			return c, nil
		}
		select {
		case err := <-exited:
			return nil, fmt.Errorf("keeper ended at its start: %w", err)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// spawn starts a keeper in a session of its own, so that it outlives control whatever ends that.
func (k *keeperLink) spawn() (<-chan error, error) {
	cmd := exec.Command(k.argv[0], k.argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if mutant.On(mutant.OneProcess) {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start keeper: %w", err)
	}
	k.log.Info("keeper started", "pid", cmd.Process.Pid)
	exited := make(chan error, 1)
	go func() { // ends with the keeper; reaps it
		err := cmd.Wait()
		k.log.Warn("keeper ended", "pid", cmd.Process.Pid, "state", cmd.ProcessState)
		if err == nil {
			err = errors.New("exit status 0")
		}
		exited <- err
	}()
	return exited, nil
}

// serve gives a new connection the standing order and copies the keeper's status, until the connection
// ends or the keeper does not answer.
func (k *keeperLink) serve(ctx context.Context, c *keeper.Client) error {
	for first := true; ; first = false {
		st, err := status(ctx, c)
		if err != nil {
			return err
		}
		if first {
			if err := k.begin(ctx, c); err != nil {
				k.log.Error("keeper did not take its orders", "err", err)
			}
		}
		k.mu.Lock()
		k.client, k.last = c, st
		k.mu.Unlock()
		k.news.ring()
		select {
		case <-ctx.Done():
			return nil
		case <-c.Done():
			return keeper.ErrGone
		case <-c.Changed():
		case <-time.After(reportEvery):
		}
	}
}

// begin gives the standing order to a keeper that is there anew. Until the state is known there is none,
// and the keeper goes on with what it recorded.
func (k *keeperLink) begin(ctx context.Context, c *keeper.Client) error {
	k.giving.Lock()
	defer k.giving.Unlock()
	k.mu.Lock()
	k.client = c // who gives the next order gives it to this one, after this
	order := k.order
	k.mu.Unlock()
	if order == nil {
		return nil
	}
	return give(ctx, c, *order)
}

func status(ctx context.Context, c *keeper.Client) (keeper.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	return c.Status(ctx)
}

func give(ctx context.Context, c *keeper.Client, o keeper.Order) error {
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	return c.Set(ctx, o)
}

// Set gives the keeper its orders, now or when it is there again.
func (k *keeperLink) Set(ctx context.Context, o keeper.Order) error {
	k.giving.Lock()
	defer k.giving.Unlock()
	c := k.want(o)
	if c == nil {
		return errNoKeeper
	}
	return give(ctx, c, o)
}

// clear has the keeper give everything up, and waits a while for it to be there.
func (k *keeperLink) clear(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	for {
		err := k.Set(ctx, keeper.Order{})
		if !errors.Is(err, errNoKeeper) {
			return err
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return fmt.Errorf("the membership has ended, but %w: virtual addresses that it left here end with their lifetime", err)
		}
	}
}

// want notes what the keeper is to do, and returns the keeper, or nil if none is attached.
func (k *keeperLink) want(o keeper.Order) *keeper.Client {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.order = &o
	return k.client
}

func (k *keeperLink) changed() <-chan struct{} { return k.newsC }

func (k *keeperLink) attached() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.client != nil
}

func (k *keeperLink) status() keeper.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// active reports whether this host owns a group.
func (k *keeperLink) active(group string) bool {
	g, _ := k.status().Group(group)
	return g.State == "active"
}

// deafTo says on which router of a group a member is not heard, or "": an owner that is not heard here
// may not hear a claim from here either.
func (k *keeperLink) deafTo(group string, sources []netip.Addr) string {
	g, ok := k.status().Group(group)
	if !ok {
		return group + " does not run here"
	}
	for _, r := range g.Routers {
		if r.Heard == nil || r.Silent || !slices.Contains(sources, r.Heard.Source) {
			return r.Name
		}
	}
	return ""
}

// owned returns the groups that this host owns.
func (k *keeperLink) owned() []string {
	var names []string
	for _, g := range k.status().Groups {
		if g.State == "active" {
			names = append(names, g.Name)
		}
	}
	return names
}

func (k *keeperLink) current() (*keeper.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil {
		return nil, errNoKeeper
	}
	return k.client, nil
}

func (k *keeperLink) claim(ctx context.Context, group string, priority uint8) error {
	c, err := k.current()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	return c.Claim(ctx, group, priority)
}

func (k *keeperLink) yield(ctx context.Context, group string, wait time.Duration) (bool, error) {
	c, err := k.current()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	return c.Yield(ctx, group, wait)
}

// concede gives a group up to a claim that may not be heard.
func (k *keeperLink) concede(ctx context.Context, group string) (bool, error) {
	c, err := k.current()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	return c.Concede(ctx, group)
}

// hold keeps a group from taking over by its timer for a while; 0 ends that.
func (k *keeperLink) hold(ctx context.Context, group string, d time.Duration) error {
	c, err := k.current()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	return c.Hold(ctx, group, d)
}

// resign gives a group up at once, whoever takes it.
func (k *keeperLink) resign(ctx context.Context, group string) {
	c, err := k.current()
	if err == nil {
		err = c.Resign(ctx, group)
	}
	if err != nil {
		k.log.Warn("group not given up", "group", group, "err", err)
	}
}

// stop ends the keeper process. With release it gives its addresses up at once; else they stay
// until their lifetime ends.
func (k *keeperLink) stop(ctx context.Context, release bool) error {
	k.mu.Lock()
	k.ending = true
	c := k.client
	k.mu.Unlock()
	if c == nil {
		return nil // none is running
	}
	return c.Stop(ctx, release)
}

func (k *keeperLink) stopping() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ending
}
