package interop

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// terms are quorate's times as owner, as its adverts show them: each is the adverts from a first one to the
// last before a better one, or before a silence that is longer than any interval of the cell and in which
// somebody else spoke.
func terms(s *Stand, frames []Frame) [][]Frame {
	var all [][]Frame
	open, heard := false, false
	var last time.Time
	for _, f := range frames {
		if f.Kind != Advert {
			continue
		}
		if !s.sent(f) {
			open = open && f.Priority < high // a better advert ends it
			heard = true
			continue
		}
		if !open || heard && f.At.Sub(last) > s.Cell.Down(low) {
			all = append(all, nil)
			open = true
		}
		all[len(all)-1] = append(all[len(all)-1], f)
		last, heard = f.At, false
		if f.Priority == 0 {
			open = false
		}
	}
	return slices.DeleteFunc(all, func(term []Frame) bool { return term[0].Priority == 0 }) // a goodbye that is repeated
}

// told is how long it takes at most to announce an address as often as it is announced at first.
const told = 800*time.Millisecond + slack

// v66 looks at the terms that lasted long enough. After a silence quorate begins to announce anew; where each
// term has one, since the machine is that busy, it looks at all of a term.
func v66(s *Stand, frames []Frame) error {
	looked := 0
	look := func(term []Frame, most time.Duration) error {
		first := term[0]
		during := term[len(term)-1].At.Sub(first.At)
		if during < told {
			return nil
		}
		looked++
		if n := s.announced(frames, first.At.Add(-s.waits()), first.At.Add(min(during, most))); n < 5 {
			return fmt.Errorf("%d announcements within %v after %v, want 5", n, min(during, most), first)
		}
		return nil
	}
	var errs []error
	all := terms(s, frames)
	for _, term := range all {
		for _, part := range s.parts(term) {
			errs = append(errs, look(part, told))
		}
	}
	if looked == 0 {
		for _, term := range all {
			errs = append(errs, look(term, time.Hour))
		}
	}
	if looked == 0 {
		return fmt.Errorf("quorate was never owner for %v", told)
	}
	return errors.Join(errs...)
}

// parts are those of a term between silences that are longer than any interval of the cell.
func (s *Stand) parts(term []Frame) [][]Frame {
	var parts [][]Frame
	for i, f := range term {
		if i == 0 || f.At.Sub(term[i-1].At) > s.Cell.Down(low) {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], f)
	}
	return parts
}

// announced is how often quorate announced the virtual address between two times.
func (s *Stand) announced(frames []Frame, from, to time.Time) (n int) {
	virtual := netip.MustParseAddr(s.Cell.virtual())
	for _, f := range frames {
		if f.Kind == Gratuitous && s.fromQuorate(f) && f.Target == virtual && !f.At.Before(from) && f.At.Before(to) {
			n++
		}
	}
	return n
}
