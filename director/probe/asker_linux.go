package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/mdlayher/packet"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// forgetMAC is how long a target is asked at the MAC address that it answered from last, after that.
	forgetMAC = 200 * time.Millisecond
	// lost is when a target that has not answered is asked rarely: nobody may have it, and each question
	// goes to everybody.
	lost   = 5 * time.Second
	rarely = time.Second
	// lookAgain is when a segment on which nobody answers is opened anew: the interface may be another.
	lookAgain = time.Second
	// openAgain is when opening is tried again.
	openAgain = 500 * time.Millisecond
	// queue is what the kernel keeps for us, in bytes: a few hundred answers.
	queue = 128 << 10
)

// asker asks on one interface in one family. It belongs to the goroutine of run.
type asker struct {
	cfg   WatchConfig
	place place
	want  *atomic.Pointer[[]Target]

	targets []Target // that the filter lets pass
	known   map[Target]neighbour
	ifi     *net.Interface
	conn    *packet.Conn // nil: to be opened
	opened  time.Time    // when that was tried last
	heard   time.Time    // when anybody answered last, or the socket was opened
}

// neighbour is who answered for a target last.
type neighbour struct {
	mac   net.HardwareAddr // nil: nobody ever did
	at    time.Time        // when that was, or when it was asked first
	asked time.Time        // when it was asked last
}

// run asks all targets once in a period, and listens in between.
func (s *asker) run(ctx context.Context) {
	defer func() { s.cfg.Ended(s.place.String()) }() // after the last Ran
	defer s.shut()
	for ctx.Err() == nil {
		now := time.Now()
		s.cfg.Ran(s.place.String(), now)
		next := Next(now, s.cfg.Every)
		if err := s.prepare(now); err != nil {
			for _, t := range *s.want.Load() {
				s.cfg.Asked(t, now, err)
			}
		} else if s.conn != nil {
			s.ask(now, next)
		}
		if s.conn == nil || !s.listen(next) {
			pause(ctx, time.Until(next))
		}
	}
}

// prepare has a socket open, with a filter for the targets as they are now. It does not try all the time:
// with no error there may be none.
func (s *asker) prepare(now time.Time) error {
	if want := *s.want.Load(); !slices.Equal(want, s.targets) {
		s.targets = want
		for t := range s.known {
			if !slices.Contains(want, t) {
				delete(s.known, t)
			}
		}
		if s.conn != nil {
			if err := s.refilter(); err != nil {
				s.shut()
				return err
			}
		}
	}
	if s.conn != nil && now.Sub(s.heard) > lookAgain {
		s.shut()
	}
	if s.conn != nil || now.Sub(s.opened) < openAgain {
		return nil
	}
	s.opened = now
	if err := s.open(); err != nil {
		return fmt.Errorf("watch the segment of %s: %w", s.place, err)
	}
	s.heard = now
	return nil
}

func (s *asker) open() error {
	ifi, err := net.InterfaceByName(s.place.iface)
	if err != nil {
		return err
	}
	if len(ifi.HardwareAddr) != 6 {
		return errors.New("it has no MAC address")
	}
	filter, err := bpf.Assemble(answers(s.targets, s.place.v6))
	if err != nil {
		return err
	}
	kind := etherARP
	if s.place.v6 {
		kind = etherIPv6
	}
	conn, err := packet.Listen(ifi, packet.Raw, kind, &packet.Config{Filter: filter})
	if err != nil {
		return err
	}
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { // a comfort: the system's own is large enough too
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, queue)
		})
	}
	s.conn, s.ifi = conn, ifi
	return nil
}

func (s *asker) refilter() error {
	filter, err := bpf.Assemble(answers(s.targets, s.place.v6))
	if err != nil {
		return err
	}
	return s.conn.SetBPF(filter)
}

// shut closes the socket, to be opened again.
func (s *asker) shut() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing was promised by it
	}
	s.conn = nil
}

// ask asks all targets.
func (s *asker) ask(now, deadline time.Time) {
	err := s.conn.SetDeadline(deadline)
	for _, t := range s.targets {
		n := s.known[t]
		if n.at.IsZero() {
			n.at = now
		}
		if now.Sub(n.at) > lost && now.Sub(n.asked) < rarely {
			continue
		}
		n.asked = now
		s.known[t] = n
		to := n.mac
		if now.Sub(n.at) >= forgetMAC {
			to = nil
		}
		b := question(s.ifi.HardwareAddr, t.Source, t.Address, to)
		if err == nil {
			_, err = s.conn.WriteTo(b, &packet.Addr{HardwareAddr: b[:6]})
		}
		s.cfg.Asked(t, now, err)
	}
	if err != nil {
		s.shut()
	}
}

// listen hears answers until the period is over, and reports whether it is. It ends early when the socket
// fails, and when more has come than can be true: the kernel then drops the rest, at no cost.
func (s *asker) listen(end time.Time) bool {
	buf := make([]byte, 128)
	for range 16 + 8*len(s.targets) {
		n, _, err := s.conn.ReadFrom(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case err != nil:
			s.shut()
			return false
		}
		now := time.Now()
		if address, mac, ok := answer(buf[:n]); ok {
			s.answered(address, mac, now)
		}
		if !now.Before(end) {
			return true
		}
	}
	return false
}

func (s *asker) answered(address netip.Addr, mac net.HardwareAddr, now time.Time) {
	for _, t := range s.targets {
		if t.Address == address {
			s.heard = now
			n := s.known[t]
			n.mac, n.at = slices.Clone(mac), now
			s.known[t] = n
			s.cfg.Answered(t, now)
		}
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
