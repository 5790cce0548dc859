package interop

import (
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/director/vrrp"
	"github.com/quorate/quorate/e2e/lab"
)

// slack is what a busy machine may add to any time, and what nobody may notice of a planned move.
const slack = time.Second

// moved does something that moves the address, waits until it has, and holds the client's gap against the
// most that it may be.
func (s *Stand) moved(name string, from, to Speaker, most time.Duration, do func()) (Result, error) {
	r := Result{Cell: s.Cell, Event: name}
	begin := time.Now()
	report, err := s.watch(func() error {
		do()
		err := s.settles(to, max(most, s.Cell.Down(low))+s.late()+2*slack, slack)
		if errors.Is(err, errUntold) && s.early(to) {
			r.Note = "FRR announced itself an interval before its first advert; the old owner did so once more in between"
			s.tell()
			err = s.settles(to, slack, slack)
		}
		return err
	})
	r.Gap, r.Known = report.Longest, s.known
	if err == nil && r.Note == "" {
		err = s.gap(report, most+slack)
	}
	if err == nil && from != nil {
		r.Silence, err = s.silence(from, to, begin)
	}
	return r, err
}

// errUntold means that one host serves, and the client's neighbour table has another.
var errUntold = errors.New("the client is not told")

// settles waits until that side alone serves, until the client knows, and sees that it stays so.
func (s *Stand) settles(side Speaker, limit, patience time.Duration) error {
	var since time.Time
	_, err := within(limit, func() error {
		since = time.Now()
		return s.serves(side, s.Cell.virtual())
	})
	if err != nil {
		return err
	}
	if s.known, err = within(patience, func() error { return s.knows(side) }); err != nil {
		if s.lapsed(side, since, 0) != nil {
			return fmt.Errorf("%w: %w", errUntold, err)
		}
		if since, err = s.recovers(side); err != nil {
			return err
		}
	}
	return s.remains(side, since, max(2*s.Cell.Interval, 200*time.Millisecond))
}

// stays sees that for a while nobody but that side serves.
func (s *Stand) stays(side Speaker, during time.Duration) error {
	return s.remains(side, time.Now(), during)
}

// remains sees that for a while nobody but that side serves, which it does since a time. That somebody else
// does is right only where the capture shows that the side was silent for as long as the other one's patience;
// then all must be as before within a second.
func (s *Stand) remains(side Speaker, since time.Time, during time.Duration) error {
	for start := time.Now(); time.Since(start) < during; time.Sleep(20 * time.Millisecond) {
		err := s.alone(side)
		if err == nil {
			continue
		}
		if why := s.lapsed(side, since, slack); why != nil {
			return fmt.Errorf("after %v: %w", time.Since(start), errors.Join(err, why))
		}
		if since, err = s.recovers(side); err != nil {
			return err
		}
	}
	return nil
}

// alone says what is wrong while only that side should serve, and the client know it. The interface that
// keepalived has the virtual MAC on stays up while it is backup, and its kernel speaks there: then the switch
// is wrong until the owner's next advert.
func (s *Stand) alone(side Speaker) error {
	var patience time.Duration
	if s.Cell.VirtualMAC && s.Cell.Peer == Keepalived && s.isQuorate(side) {
		patience = s.Cell.Interval + 100*time.Millisecond
	}
	_, unknown := within(patience, func() error { return s.knows(side) })
	return errors.Join(s.serves(side, s.Cell.virtual()), unknown)
}

// returns has the first side start again, and sees that it takes the address back without a gap.
func (s *Stand) returns(start func()) (Result, error) {
	first, second := s.sides()
	r, err := s.moved(returnsEvent, second, first, 0, start)
	r.Silence = 0 // it takes from one that speaks
	return r, err
}

func start(s *Stand) ([]Result, error) {
	first, second := s.sides()
	begin := time.Now()
	first.Start(s.Cell.settings(high))
	_, err := within(s.Cell.Down(high)+s.Cell.Interval+2*slack, func() error {
		adverts, err := s.adverts(first, begin)
		if err == nil && len(adverts) == 0 {
			err = errors.New("no advert")
		}
		return errors.Join(err, s.serves(first, s.Cell.virtual()))
	})
	if err != nil {
		return nil, err
	}
	r, err := s.moved(startEvent, nil, first, 0, func() { second.Start(s.Cell.settings(low)) })
	if err != nil {
		return nil, err
	}
	return []Result{r}, s.stays(first, s.Cell.Down(low)+200*time.Millisecond)
}

// takeover is something that ends the first side's service, and what brings it back.
func (s *Stand) takeover(name string, formula, most time.Duration, harm, heal func()) ([]Result, error) {
	first, second := s.sides()
	r, err := s.moved(name, first, second, most, harm)
	r.Formula = formula
	if err != nil {
		return []Result{r}, fmt.Errorf("%s: %w", name, err)
	}
	back, err := s.returns(heal)
	if err != nil {
		err = fmt.Errorf("after %s, it returns: %w", name, err)
	}
	return []Result{r, back}, err
}

// late is what the peer adds to a takeover: FRR's first advert for IPv6 comes an interval late.
func (s *Stand) late() time.Duration {
	if s.Cell.Role == Owner && s.Cell.Peer == FRR && s.Cell.V6 {
		return s.Cell.Interval
	}
	return 0
}

func crash(s *Stand) ([]Result, error) {
	first, _ := s.sides()
	down := s.Cell.Down(low) + s.late()
	return s.takeover(diesEvent, down, down, first.Host().Die, func() {
		time.Sleep(told + 100*time.Millisecond) // a term that is long enough for what is repeated in it
		first.Host().Revive()
		first.Start(s.Cell.settings(high))
	})
}

func kill(s *Stand) ([]Result, error) {
	first, _ := s.sides()
	down := s.Cell.Down(low) + s.late()
	lifetime := max(3*s.Cell.Interval, 2*time.Second) // of what a killed keeper leaves in the kernel
	return s.takeover(killedEvent, down, max(down, lifetime), first.Kill, func() {
		first.Start(s.Cell.settings(high))
	})
}

func stop(s *Stand) ([]Result, error) {
	first, _ := s.sides()
	skew := s.Cell.Skew(low) + s.late()
	return s.takeover(stopsEvent, skew, skew, first.Stop, func() { first.Start(s.Cell.settings(high)) })
}

func link(s *Stand) ([]Result, error) {
	first, second := s.sides()
	down := s.Cell.Down(low) + s.late()
	var plug func()
	r, err := s.moved(linkEvent, first, second, down, func() { plug = s.Unplug(first.Host(), s.Segment) })
	r.Formula = down
	if err != nil {
		return []Result{r}, err
	}
	back, err := s.healed(plugEvent, plug)
	return []Result{r, back}, err
}

func partition(s *Stand) ([]Result, error) {
	first, second := s.sides()
	begin := time.Now()
	undo := s.Partition([]*lab.Host{first.Host()}, []*lab.Host{second.Host()}, lab.VRRP())
	_, err := within(s.Cell.Down(low)+s.late()+2*slack, func() error {
		if n := len(s.Holders(s.Cell.virtual())); n != 2 {
			return fmt.Errorf("%d hosts have the address in a partition, want 2", n)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	time.Sleep(2 * s.Cell.Interval)
	r, err := s.healed(healsEvent, func() {
		undo()
		s.cuts = append(s.cuts, cut{begin, time.Now()})
	})
	return []Result{r}, err
}

// healed undoes a cut that had an owner on each side. The winner announces itself again when it hears the
// loser. A loser that hears the winner first says nothing more; then nobody tells the client, which is noted,
// and told by hand: its own probes would take up to a minute. FRR never announces itself again.
func (s *Stand) healed(name string, heal func()) (Result, error) {
	first, second := s.sides()
	r := Result{Cell: s.Cell, Event: name}
	var begin time.Time
	report, err := s.watch(func() error {
		heal()
		begin = time.Now()
		err := s.settles(first, s.Cell.Down(high)+2*slack, slack)
		if errors.Is(err, errUntold) {
			r.Note, err = s.untold(first, second, begin)
			return errors.Join(err, s.settles(first, slack, slack))
		}
		return err
	})
	r.Gap = report.Longest
	if r.Note == "" {
		r.Known = s.known
	}
	if err == nil && r.Note == "" {
		err = s.gap(report, slack)
	}
	return r, err
}

// early tells whether that side announces itself, once, an interval before its first advert for IPv6. An old
// owner that lives does not know yet, and may announce itself once more.
func (s *Stand) early(side Speaker) bool {
	return s.Cell.Peer == FRR && s.Cell.V6 && !s.isQuorate(side)
}

// tell makes the client forget who serves.
func (s *Stand) tell() { s.Client.MustRun("ip", "neigh", "del", s.Cell.virtual(), "dev", "eth0") }

// untold says why nobody told the client of the winner, and tells it by hand. It is an error if quorate
// won and heard the loser.
func (s *Stand) untold(first, second Speaker, since time.Time) (note string, err error) {
	lost, err := s.adverts(second, since.Add(5*time.Millisecond))
	if err == nil && len(lost) > 0 && s.isQuorate(first) {
		err = fmt.Errorf("quorate heard the loser, %v, and the client is not told", lost[0])
	}
	s.tell()
	if len(lost) > 0 {
		return "the peer heard the loser and did not announce itself", err
	}
	return "the loser yielded unheard, and nobody announced the winner", err
}

// reprioritise moves the address by a change of one side's priority, and back.
func (s *Stand) reprioritise(side Speaker) ([]Result, error) {
	first, second := s.sides()
	before, to := high, lowest
	if side == second {
		before, to = low, highest
	}
	r, err := s.moved(priorityEvent, first, second, 0, func() { side.Set(s.Cell.settings(to)) })
	r.Silence = 0
	if err != nil {
		return []Result{r}, fmt.Errorf("from %d to %d: %w", before, to, err)
	}
	back, err := s.returns(func() { side.Set(s.Cell.settings(before)) })
	if err != nil {
		err = fmt.Errorf("back from %d to %d: %w", to, before, err)
	}
	return []Result{r, back}, err
}

func addresses(s *Stand) ([]Result, error) {
	first, second := s.sides()
	r := Result{Cell: s.Cell, Event: addressEvent}
	set := func(side Speaker, priority int, two bool) {
		x := s.Cell.settings(priority)
		x.Addresses = s.Cell.addresses(two)
		side.Set(x)
	}
	both := func(two bool) {
		set(second, low, two)
		set(first, high, two)
	}
	report, err := s.watch(func() error {
		both(true)
		if err := s.settles(first, s.Cell.Down(high)+2*slack, slack); err != nil {
			return err
		}
		_, err := within(2*slack, func() error { return s.serves(first, s.Cell.added()) })
		return err
	})
	r.Gap = report.Longest
	if err == nil {
		err = s.gap(report, slack)
	}
	if err != nil {
		return []Result{r}, err
	}
	both(false)
	_, err = within(2*slack, func() error {
		if n := len(s.Holders(s.Cell.added())); n > 0 {
			return fmt.Errorf("%d hosts have an address that is gone", n)
		}
		return nil
	})
	if err == nil {
		err = s.settles(first, s.Cell.Down(high)+2*slack, slack)
	}
	return []Result{r}, err
}

func mismatch(s *Stand) ([]Result, error) {
	priority := low
	if s.Cell.Role == Owner {
		priority = high
	}
	x := s.Cell.settings(priority)
	x.Addresses = s.Cell.addresses(true)
	return s.unmoved(listsEvent, s.Cell.Down(low), func() { s.Quorate.Set(x) }, func() { s.Quorate.Set(s.Cell.settings(priority)) })
}

// intervals doubles quorate's. Version 3 learns it, and nothing moves; in version 2 both sides drop what the
// other says, and both own until it is undone.
func intervals(s *Stand) ([]Result, error) {
	priority := low
	if s.Cell.Role == Owner {
		priority = high
	}
	x := s.Cell.settings(priority)
	x.Interval *= 2
	if s.Cell.Version == 2 {
		r, err := s.deafened(x, s.Cell.settings(priority))
		return []Result{r}, err
	}
	return s.unmoved(intervalsEvent, 2*s.Cell.Down(low), func() { s.Quorate.Set(x) }, func() { s.Quorate.Set(s.Cell.settings(priority)) })
}

// deafened gives quorate settings with which neither side believes the other.
func (s *Stand) deafened(x, back Settings) (Result, error) {
	q, ok := s.Quorate.(*quorate)
	if !ok {
		return Result{}, errors.New("there is no keeper to ask")
	}
	begin := time.Now()
	s.Quorate.Set(x)
	_, err := within(2*s.Cell.Down(low)+s.late()+2*slack, func() error {
		if n := len(s.Holders(s.Cell.virtual())); n != 2 {
			return fmt.Errorf("%d hosts have the address, want 2", n)
		}
		n, err := q.drops(vrrp.DropMismatch)
		if err == nil && n == 0 {
			err = fmt.Errorf("quorate dropped nothing because the %s", vrrp.DropMismatch)
		}
		return err
	})
	if err != nil {
		s.Quorate.Set(back)
		return Result{Cell: s.Cell, Event: intervalsEvent}, err
	}
	return s.healed(intervalsEvent, func() {
		s.Quorate.Set(back)
		s.cuts = append(s.cuts, cut{begin, time.Now()})
	})
}

// unmoved changes something that must move nothing, for a while.
func (s *Stand) unmoved(name string, during time.Duration, do, undo func()) ([]Result, error) {
	first, _ := s.sides()
	r := Result{Cell: s.Cell, Event: name}
	report, err := s.watch(func() error {
		do()
		err := s.stays(first, during+200*time.Millisecond)
		undo()
		return errors.Join(err, s.settles(first, s.Cell.Down(high)+2*slack, slack))
	})
	r.Gap = report.Longest
	if err == nil {
		err = s.gap(report, slack)
	}
	return []Result{r}, err
}
