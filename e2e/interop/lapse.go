package interop

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// early is how much sooner than its timer somebody may seem to speak: what the capture and its clocks add.
const early = time.Millisecond

// A Lapse is a time in which the side that should own was silent for so long that the other one was right to
// take over: a machine that has no CPU for three adverts of 10 ms looks as if it had died.
type Lapse struct {
	Silence  time.Duration // of who should own, before the other one spoke
	Patience time.Duration // of the other one
	Untold   bool          // the owner did not announce itself again
}

// lapse looks in a capture, from a time on, for the last takeover by who should not own. It says what is
// wrong if there is none, or if who should own was not silent for long enough before each.
func lapse(frames []Frame, should func(Frame) bool, since time.Time, patience func(taker, silent Frame) time.Duration) (Lapse, error) {
	var owners []Frame // adverts of who should own
	var other time.Time
	var found Lapse
	for _, f := range frames {
		switch {
		case f.Kind != Advert:
			continue
		case should(f):
			owners = append(owners, f)
			continue
		case f.Priority == 0:
			continue
		}
		last, silence := silent(owners, f)
		patience := patience(f, last)
		begins := other.IsZero() || f.At.Sub(other) >= patience-early // one that owns speaks more often
		other = f.At
		switch {
		case !begins || f.At.Before(since):
		case len(owners) == 0 || last.Priority == 0:
			return Lapse{}, fmt.Errorf("%v, and who should own did not speak before", f)
		case silence < patience-early:
			return Lapse{}, fmt.Errorf("%v, only %v after the owner's last advert: want %v", f, silence, patience)
		default:
			found = Lapse{Silence: silence, Patience: patience}
		}
	}
	if found == (Lapse{}) {
		return found, errors.New("nobody else took over on the wire")
	}
	return found, nil
}

// silent returns the last of an owner's adverts that another one knew when it sent its own, which is returned
// where there is none, and the owner's silence after it. What the owner said less than an interval before may
// have crossed the other's advert: then that ended the silence.
func silent(owners []Frame, other Frame) (Frame, time.Duration) {
	if len(owners) == 0 {
		return other, 0
	}
	i, end := len(owners)-1, other.At
	for ; i > 0 && other.At.Sub(owners[i].At) < owners[i].Interval; i-- {
		end = owners[i].At
	}
	return owners[i], end.Sub(owners[i].At)
}

// patience is the Active_Down_Interval of who sent the one advert, and heard the other before.
func (s *Stand) patience(taker, silent Frame) time.Duration {
	c := Cell{Version: s.Cell.Version, Interval: silent.Interval}
	down := c.Down(taker.Priority)
	if s.Cell.Peer == FRR && !s.sent(taker) {
		return down.Truncate(10 * time.Millisecond) // it counts in hundredths of a second
	}
	return down
}

// lapsed looks for what explains that not that side alone owns, and takes note of it. It waits for a while,
// since what is on the wire may be captured later. A side speaks before it has the address.
func (s *Stand) lapsed(side Speaker, since time.Time, wait time.Duration) error {
	var found Lapse
	_, err := within(wait, func() error {
		frames, err := s.frames()
		if err != nil {
			return err
		}
		found, err = lapse(frames, func(f Frame) bool { return s.sent(f) == s.isQuorate(side) }, since.Add(-100*time.Millisecond), s.patience)
		return err
	})
	if err == nil {
		s.lapses = append(s.lapses, found)
	}
	return err
}

// recovers waits, after a lapse, until all is as before, and returns when it was. A peer that did not notice the
// lapse does not announce itself again, and FRR never does: then the client is told by hand, once for each lapse.
// Quorate does.
func (s *Stand) recovers(side Speaker) (since time.Time, err error) {
	var told time.Time
	for {
		_, err = within(slack, func() error {
			since = time.Now()
			return s.alone(side)
		})
		if err == nil {
			return since, nil
		}
		last := len(s.lapses) - 1
		twice := !told.IsZero() && s.lapsed(side, told, 0) != nil
		if twice || s.isQuorate(side) || s.serves(side, s.Cell.virtual()) != nil {
			return since, fmt.Errorf("after a silence of %v: %w", s.lapses[last].Silence, err)
		}
		s.lapses[len(s.lapses)-1].Untold = true
		told = time.Now()
		s.tell()
	}
}

// Lapses says which lapses there were since it was called last, or nothing.
func (s *Stand) Lapses() string {
	var texts []string
	for _, l := range s.lapses {
		text := fmt.Sprintf("who should own was silent for %s ms, and the other side took over, as it should after %s ms", ms(l.Silence), ms(l.Patience))
		if l.Untold {
			text += "; who should own did not announce itself again"
		}
		texts = append(texts, text)
	}
	s.lapses, s.watched = nil, 0
	return strings.Join(texts, "; ")
}
