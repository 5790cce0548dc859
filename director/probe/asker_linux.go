package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/bpf"
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
)

// asker asks on one interface in one family. Its goroutine is that of run; who else wants to know reads answers too.
type asker struct {
	cfg   WatchConfig
	place place
	want  atomic.Pointer[[]Target]

	mu      sync.Mutex
	targets []Target // that the filter lets pass
	known   map[Target]neighbour
	ifi     *net.Interface
	conn    *socket   // nil: to be opened
	opened  time.Time // when that was tried last
	heard   time.Time // when anybody answered last, or the socket was opened
	read    time.Time // until when all that came was read
	left    int       // frames that may be read until the next beat: more cannot be true
	broken  bool      // the socket is of no use: run opens another
}

// neighbour is who answered for a target last.
type neighbour struct {
	mac   net.HardwareAddr // nil: nobody ever did
	at    time.Time        // when that was, or when it was asked first
	asked time.Time        // when it was asked last
}

// run asks all targets once in a period. While all is well it reads the answers when it asks again: the kernel says
// when they came, and to be woken by each costs more than the work. It listens while one is missing.
func (s *asker) run(ctx context.Context) {
	defer func() { s.cfg.Ended(s.place.String()) }() // after the last Ran
	defer s.end()
	for ctx.Err() == nil {
		now := time.Now()
		s.cfg.Ran(s.place.String(), now)
		next := Next(now, s.cfg.Every)
		if calm := s.beat(now); calm || !s.listen(next) {
			pause(ctx, time.Until(next))
		}
	}
}

// beat reads what came, and asks. It reports whether nobody needs to listen for the answers.
func (s *asker) beat(now time.Time) (calm bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readAll()
	if s.broken {
		s.shut()
	}
	s.left = 16 + 8*len(s.targets)
	if err := s.prepare(now); err != nil {
		for _, t := range *s.want.Load() {
			s.cfg.Asked(t, now, err)
		}
		return true
	}
	if s.conn != nil {
		s.ask(now)
	}
	return s.conn == nil || s.calm(now)
}

// calm reports whether every target answered its last question, or has not for so long that nobody waits for it.
func (s *asker) calm(now time.Time) bool {
	for _, t := range s.targets {
		n := s.known[t]
		if silent := now.Sub(n.at); silent <= lost && (n.mac == nil || silent > s.cfg.Every*3/2) {
			return false
		}
	}
	return true
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
	s.heard, s.read = now, now
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
	kind := uint16(etherARP)
	if s.place.v6 {
		kind = etherIPv6
	}
	s.conn, err = openSocket(ifi, kind, filter)
	s.ifi = ifi
	return err
}

func (s *asker) refilter() error {
	filter, err := bpf.Assemble(answers(s.targets, s.place.v6))
	if err != nil {
		return err
	}
	return s.conn.filter(filter)
}

// end closes the socket for good.
func (s *asker) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut()
}

// shut closes the socket, to be opened again.
func (s *asker) shut() {
	if s.conn != nil {
		s.conn.close()
	}
	s.conn, s.broken = nil, false
}

// ask asks all targets.
func (s *asker) ask(now time.Time) {
	var err error
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
		if err == nil {
			err = s.conn.send(question(s.ifi.HardwareAddr, t.Source, t.Address, to))
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
	for {
		wait := time.Until(end)
		if wait <= 0 {
			return true
		}
		s.conn.await(wait) // nobody else closes it
		if !s.look() {
			return false
		}
	}
}

// look reads what came until now, and reports whether more may come.
func (s *asker) look() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readAll()
	return s.conn != nil && !s.broken && s.left > 0
}

// readAll reads what came.
func (s *asker) readAll() {
	for ; s.conn != nil && !s.broken && s.left > 0; s.left-- {
		frame, at, err := s.conn.receive()
		now := time.Now()
		switch {
		case err != nil:
			s.broken = true
			return
		case frame == nil:
			s.read = now
			return
		}
		if address, mac, ok := answer(frame); ok {
			s.answered(address, mac, s.came(at, now))
		}
	}
}

// came is when something came that is read now, by this process's own clock: after all that was read before, whatever
// the clock on the wall was set to since.
func (s *asker) came(wall, now time.Time) time.Time {
	at := now
	if age := now.Sub(wall); !wall.IsZero() && age > 0 {
		at = now.Add(-age)
	}
	if at.Before(s.read) {
		return s.read
	}
	return at
}

func (s *asker) answered(address netip.Addr, mac net.HardwareAddr, at time.Time) {
	for _, t := range s.targets {
		if t.Address == address {
			s.heard = at
			n := s.known[t]
			n.mac, n.at = slices.Clone(mac), at
			s.known[t] = n
			s.cfg.Answered(t, at)
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
