package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/quorate/quorate/director/vrrp"
	"golang.org/x/sys/unix"
)

// maxLine bounds a request: 255 routers of 255 addresses fit.
const maxLine = 8 << 20

// door is a unix socket and the lock that says whose it is.
type door struct {
	net.Listener
	lock *os.File
}

// Close closes the socket and removes it, and then lets go of the lock.
func (d *door) Close() error { return errors.Join(d.Listener.Close(), d.lock.Close()) }

const (
	lockFile = ".lock" // after the socket's path
	// lockWait is for how long a keeper tries to have the lock: who looks whether one has it has it for a moment.
	lockWait = 100 * time.Millisecond
)

// Held reports whether a keeper has the lock of a socket: it is there, or about to be, whether it answers yet or not.
func Held(socket string) bool {
	lock, err := os.Open(socket + lockFile)
	if err != nil {
		return false
	}
	defer lock.Close()
	return errors.Is(unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// take has the lock, unless another keeper has it.
func take(lock *os.File) error {
	for end := time.Now().Add(lockWait); ; time.Sleep(lockWait / 20) {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock: %w", err)
		case time.Now().After(end):
			return errors.New("another keeper runs there")
		}
	}
}

// listenUnix opens the socket. The lock decides who may: it goes with its process, whatever ends that,
// so that a socket under a lock that was free is a dead keeper's.
func listenUnix(path string) (net.Listener, error) {
	lock, err := os.OpenFile(path+lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l, err := listenLocked(path, lock)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, errors.Join(err, lock.Close()))
	}
	return &door{l, lock}, nil
}

func listenLocked(path string, lock *os.File) (net.Listener, error) {
	if err := take(lock); err != nil {
		return nil, err
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode()&os.ModeSocket == 0 {
			return nil, errors.New("a file that is no socket is there")
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// serve answers clients until ctx ends.
func serve(ctx context.Context, l net.Listener, k *keeper, log hclog.Logger) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			log.Error("accept a client", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		wg.Go(func() {
			s := &session{k: k, conn: c, changed: make(chan struct{}, 1), slots: make(chan struct{}, 16)}
			if err := s.run(ctx); err != nil {
				log.Debug("a client left", "err", err)
			}
		})
	}
}

// session is one client.
type session struct {
	k       *keeper
	conn    net.Conn
	changed chan struct{}
	slots   chan struct{} // bounds the requests that are worked on
	orders  bool          // it has given an order

	mu sync.Mutex // guards writes to conn
}

// writeWait is how long a client may leave its answers unread.
const writeWait = 5 * time.Second

func (s *session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	defer s.conn.Close()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	s.k.watch(s.changed)
	defer s.k.unwatch(s.changed)
	defer func() {
		if s.orders {
			s.k.asked.left()
		}
	}()
	wg.Go(func() {
		s.push(ctx)
		cancel()
	})
	lines := bufio.NewScanner(s.conn)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return errors.Join(err, s.write(reply{Error: "decode the request: " + err.Error()}))
		}
		// One after the other: of two orders the later one holds. Only what a claim waits for is waited for
		// aside.
		if s.orders {
			s.k.asked.spoke(time.Now())
		}
		answer := s.answer(ctx, r)
		s.slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-s.slots }()
			if s.write(answer()) != nil {
				cancel()
			}
		})
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return errors.Join(err, s.write(reply{Error: "read the request: " + err.Error()}))
	}
	return nil
}

// push sends the status at each change, for no more than a quarter of the time: five hundred routers
// that change at once are five hundred changes of a long status.
func (s *session) push(ctx context.Context) {
	var pause time.Duration
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		select {
		case <-ctx.Done():
			return
		case <-s.changed:
		}
		begin := time.Now()
		r := reply{}
		if s.status(ctx, &r) != nil || s.write(r) != nil {
			return
		}
		pause = 3 * time.Since(begin)
	}
}

func (s *session) write(r reply) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode the reply: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err = s.conn.Write(append(b, '\n'))
	return err
}

func (s *session) status(ctx context.Context, r *reply) error {
	return s.k.call(ctx, func(now time.Time) {
		st := s.k.status(now)
		r.Status = &st
	})
}

// answer carries a request out and returns what waits for its answer.
func (s *session) answer(ctx context.Context, q request) func() reply {
	r := reply{ID: q.ID}
	wait, err := s.do(ctx, q, &r)
	return func() reply {
		if err == nil && wait != nil {
			err = wait()
		}
		if err != nil {
			r.Error = err.Error()
		}
		return r
	}
}

// do carries a request out. Wait, if any, returns when it is done.
func (s *session) do(ctx context.Context, q request, r *reply) (wait func() error, err error) {
	if q.Op == opClaim {
		return s.claim(ctx, q)
	}
	return nil, s.doAtOnce(ctx, q, r)
}

func (s *session) claim(ctx context.Context, q request) (wait func() error, err error) {
	var done <-chan error
	var late error
	err = s.k.call(ctx, func(now time.Time) {
		if late = q.over(); late == nil {
			done = s.k.claim(now, q.Group, q.Priority)
		}
	})
	if err := errors.Join(err, late); err != nil {
		return nil, err
	}
	return func() error {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}, nil
}

func (s *session) doAtOnce(ctx context.Context, q request, r *reply) error {
	k := s.k
	switch q.Op {
	case opSet:
		if q.Order == nil {
			return errors.New("set: no order")
		}
		if err := q.Order.Validate(); err != nil {
			return err
		}
		if !s.orders {
			s.orders = true
			k.asked.came(time.Now())
		}
		return k.call(ctx, func(now time.Time) { k.set(now, *q.Order, nil) })
	case opYield:
		return s.step(ctx, q, vrrp.Yield{Wait: q.Wait}, func(g *group) { r.Yields = g.machine.State() == vrrp.Active })
	case opResign:
		return s.step(ctx, q, vrrp.Resign{Linger: q.Linger}, nil)
	case opConcede:
		return s.step(ctx, q, vrrp.Concede{}, func(g *group) { r.Yields = g.machine.State() == vrrp.Active })
	case opUnclaim:
		return s.group(ctx, q, func(now time.Time, g *group) { k.unclaim(now, g) })
	case opRenew:
		return s.step(ctx, q, vrrp.Renew{}, nil)
	case opHold:
		return s.step(ctx, q, vrrp.Hold{Until: time.Now().Add(q.Wait)}, nil)
	case opStatus:
		return s.status(ctx, r)
	case opStop:
		return k.call(ctx, func(time.Time) { k.stop = &stopOrder{release: q.Release} })
	}
	return fmt.Errorf("unknown request %q", q.Op)
}

// step gives an event to a group. Look, if any, sees the group first.
func (s *session) step(ctx context.Context, q request, ev vrrp.Event, look func(*group)) error {
	return s.group(ctx, q, func(now time.Time, g *group) {
		if look != nil {
			look(g)
		}
		s.k.carry(now, g, g.machine.Step(now, "", ev))
	})
}

// group does something with a group in the loop.
func (s *session) group(ctx context.Context, q request, do func(now time.Time, g *group)) error {
	var refused error
	err := s.k.call(ctx, func(now time.Time) {
		if refused = q.over(); refused != nil {
			return
		}
		g := s.k.groups[q.Group]
		if g == nil {
			refused = fmt.Errorf("%s: no group %q", q.Op, q.Group)
			return
		}
		do(now, g)
	})
	return errors.Join(err, refused)
}
