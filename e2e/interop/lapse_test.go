package interop

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// wire is a conversation in adverts and announcements, as a capture has it, of a cell in which quorate is
// 192.0.2.5 and the peer 192.0.2.6. Times are milliseconds.
type wire struct {
	stand  *Stand
	frames []Frame
}

var begin = time.Unix(1000, 0)

func at(ms float64) time.Time { return begin.Add(time.Duration(ms * float64(time.Millisecond))) }

func newWire(c Cell) *wire {
	q := netip.MustParseAddr("192.0.2.5")
	return &wire{stand: &Stand{Cell: c, own: []netip.Addr{q}}}
}

// adverts of who has this last number in its address, each interval from a time until another one, that included.
func (w *wire) adverts(who byte, priority int, from, until float64) *wire {
	step := w.stand.Cell.Interval
	for t := at(from); !t.After(at(until)); t = t.Add(step) {
		w.frames = append(w.frames, Frame{
			At: t, Kind: Advert, Src: netip.AddrFrom4([4]byte{192, 0, 2, who}), Version: 3, Priority: priority, Interval: step,
		})
	}
	return w
}

// lapse is the judge's word where quorate should own from a time on.
func (w *wire) lapse(since float64) (Lapse, error) {
	return lapse(w.frames, w.stand.sent, at(since), w.stand.patience)
}

var quick = Cell{Peer: Keepalived, Role: Owner, Version: 3, Interval: 10 * time.Millisecond} // patience at priority 100: 36.1 ms

func TestASecondOwnerIsRightOnlyAfterASilenceOnTheWire(t *testing.T) {
	frr := quick
	frr.Peer = FRR // patience: 30 ms
	second := Cell{Peer: Keepalived, Role: Owner, Version: 2, Interval: time.Second}
	for _, tt := range []struct {
		name    string
		cell    Cell
		talk    func(*wire)
		since   float64
		silence float64
		wrong   string
	}{
		{name: "a silence of four intervals", cell: quick, silence: 41, talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(6, low, 141, 161).adverts(5, high, 162, 300)
		}},
		{name: "the peer takes over while the owner speaks", cell: quick, wrong: "only 10ms after", talk: func(w *wire) {
			w.adverts(5, high, 0, 140).adverts(6, low, 141, 161).adverts(5, high, 162, 300)
		}},
		{name: "a silence that is shorter than the peer's patience", cell: quick, wrong: "only 33ms after", talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(6, low, 133, 153)
		}},
		{name: "which is enough for FRR, that rounds", cell: frr, silence: 33, talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(6, low, 133, 153)
		}},
		{name: "nobody else speaks", cell: quick, wrong: "nobody else took over", talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(5, high, 180, 300)
		}},
		{name: "what was before does not count", cell: quick, since: 200, wrong: "nobody else took over", talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(6, low, 141, 161).adverts(5, high, 162, 300)
		}},
		{name: "one that does not yield took over once", cell: quick, since: 200, wrong: "nobody else took over", talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(6, low, 141, 165)
			for t := 170.0; t < 400; t += 10 {
				w.adverts(5, high, t, t).adverts(6, low, t+5, t+5)
			}
		}},
		{name: "an advert that crosses the owner's is part of its term", cell: quick, silence: 41, talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(6, low, 141, 151).adverts(5, high, 160.5, 160.5).adverts(6, low, 161, 161).adverts(5, high, 170.5, 300)
		}},
		{name: "the owner's next advert crosses the peer's first one", cell: quick, silence: 41, talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(5, high, 141, 141).adverts(6, low, 141.5, 141.5).adverts(5, high, 151, 300)
		}},
		{name: "it had spoken again for an interval", cell: quick, wrong: "only 10ms after", talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(5, high, 141, 151).adverts(6, low, 155, 155).adverts(5, high, 161, 300)
		}},
		{name: "each takeover is judged", cell: quick, wrong: "only 10ms after", talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(6, low, 141, 161).adverts(5, high, 162, 302).adverts(6, low, 307, 307).
				adverts(5, high, 312, 400).adverts(6, low, 450, 460)
		}},
		{name: "the owner resigns, and should not", cell: quick, wrong: "did not speak before", talk: func(w *wire) {
			w.adverts(5, high, 0, 100).adverts(5, 0, 105, 105).adverts(6, low, 150, 160)
		}},
		{name: "that it had resigned long before does not count", cell: quick, since: 200, silence: 41, talk: func(w *wire) {
			w.adverts(6, low, 0, 0).adverts(5, high, 10, 100).adverts(5, 0, 105, 105).adverts(6, low, 112, 142).adverts(5, high, 145, 295).adverts(6, low, 336, 356)
		}},
		{name: "it never spoke", cell: quick, wrong: "did not speak before", talk: func(w *wire) { w.adverts(6, low, 0, 100) }},
		{name: "in version 2 the skew is of a second", cell: second, wrong: "only 3.4s after", talk: func(w *wire) {
			w.adverts(5, high, 0, 3000).adverts(6, low, 6400, 6400)
		}},
		{name: "and no more", cell: second, silence: 3610, talk: func(w *wire) {
			w.adverts(5, high, 0, 3000).adverts(6, low, 6610, 6610)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(tt.cell)
			tt.talk(w)
			got, err := w.lapse(tt.since)
			if tt.wrong != "" {
				finds(t, err, tt.wrong)
			} else if want := at(tt.silence).Sub(begin); err != nil || got.Silence != want {
				t.Errorf("the judge says %v, %v, want a silence of %v", got, err, want)
			}
		})
	}
}

func TestALapseIsToldOnce(t *testing.T) {
	s := &Stand{lapses: []Lapse{{Silence: 41 * time.Millisecond, Patience: 36 * time.Millisecond}}}
	if got := s.Lapses(); !strings.Contains(got, "silent for 41.0 ms") || !strings.Contains(got, "after 36.0 ms") {
		t.Errorf("it says %q", got)
	}
	if got := s.Lapses(); got != "" {
		t.Errorf("and again %q", got)
	}
	if text := (Result{Event: "it returns", Lapses: "why"}).String(); !strings.HasSuffix(text, "; why") {
		t.Errorf("the result is %q", text)
	}
}

func TestASilenceIsOfOneTakeover(t *testing.T) {
	for _, tt := range []struct {
		name       string
		olds, news *wire
		want       float64
	}{
		{"the old one dies", newWire(quick).adverts(5, high, 0, 100), newWire(quick).adverts(6, low, 137, 200), 37},
		{"its goodbye is repeated", newWire(quick).adverts(5, high, 0, 100).adverts(5, 0, 105, 125), newWire(quick).adverts(6, low, 112, 200), 7},
		{"it had a lapse, and dies in it", newWire(quick).adverts(5, high, 0, 40).adverts(5, high, 109, 109), newWire(quick).adverts(6, low, 80, 200), 0},
		{"it had one some time before", newWire(quick).adverts(5, high, 0, 10).adverts(5, high, 60, 100), newWire(quick).adverts(6, low, 50, 60).adverts(6, low, 137, 200), 37},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := silence(tt.olds.frames, tt.news.frames, at(102)), at(tt.want).Sub(begin); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

func TestAnOwnerThatSpeaksOnIsToldFromOneThatTakesOverAgain(t *testing.T) {
	c := quick
	c.Role = Standby
	for _, tt := range []struct {
		name  string
		talk  func(*wire)
		wrong string
	}{
		{"it yields at once", func(w *wire) { w.adverts(5, low, 0, 100).adverts(6, high, 105, 600) }, ""},
		{"it speaks on for a moment", func(w *wire) {
			w.adverts(5, low, 0, 100).adverts(6, high, 105, 105).adverts(5, low, 110, 110).adverts(6, high, 115, 600)
		}, ""},
		{"it speaks on", func(w *wire) {
			w.adverts(5, low, 0, 100)
			for t := 105.0; t < 600; t += 10 {
				w.adverts(6, high, t, t).adverts(5, low, t+5, t+5)
			}
		}, "after the better"},
		{"the better one falls silent, and it speaks on", func(w *wire) { w.adverts(5, low, 0, 100).adverts(6, high, 105, 105).adverts(5, low, 110, 600) }, "after the better"},
		{"the better one falls silent, and it takes over again", func(w *wire) { w.adverts(5, low, 0, 100).adverts(6, high, 105, 105).adverts(5, low, 142, 600) }, ""},
		{"it takes over too early", func(w *wire) { w.adverts(5, low, 0, 100).adverts(6, high, 105, 105).adverts(5, low, 135, 600) }, "after the better"},
		{"neither hears the other any more", func(w *wire) {
			w.stand.cuts = []cut{{at(150), at(900)}}
			w.adverts(5, low, 0, 100).adverts(6, high, 105, 135).adverts(5, low, 190, 600).adverts(6, high, 145, 600)
			slices.SortStableFunc(w.frames, func(a, b Frame) int { return a.At.Compare(b.At) })
		}, ""},
		{"there is no better one", func(w *wire) { w.adverts(5, low, 0, 600) }, "no better advert"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(c)
			tt.talk(w)
			err := v51(w.stand, w.frames)
			if tt.wrong != "" {
				finds(t, err, tt.wrong)
			} else if err != nil {
				t.Errorf("the judge says %v", err)
			}
		})
	}
}

func TestThePeersAnnouncementIsNotTakenForQuorates(t *testing.T) {
	same, other := []byte("the virtual address is at the virtual MAC"), []byte("something else")
	frame := func(ms float64, bytes []byte) Frame { return Frame{At: at(ms), Kind: Gratuitous, Bytes: bytes} }
	frames := []Frame{frame(0, same), frame(4, same), frame(4.25, other), frame(4.5, same), frame(20, same), {At: at(30), Kind: Advert, Bytes: same}}
	mark(frames, []Frame{frame(4, same), frame(4.25, same), frame(14, same), frame(30, same)})
	var ours []time.Duration
	for _, f := range frames {
		if f.Ours {
			ours = append(ours, f.At.Sub(begin))
		}
	}
	// Not the one before, whose bytes are the same; nor the one that is 6 ms late; nor what is no announcement.
	if len(ours) != 2 || ours[0] != 4*time.Millisecond || ours[1] != 4500*time.Microsecond {
		t.Errorf("marked are those at %v", ours)
	}
}

func TestATermEndsWhenSomebodyElseOwns(t *testing.T) {
	for _, tt := range []struct {
		name string
		talk func(*wire)
		want int
	}{
		{"a silence in which nobody spoke", func(w *wire) { w.adverts(5, high, 0, 100).adverts(5, high, 180, 300) }, 1},
		{"a silence in which the peer took over", func(w *wire) { w.adverts(5, high, 0, 100).adverts(6, low, 140, 170).adverts(5, high, 180, 300) }, 2},
		{"a better advert", func(w *wire) { w.adverts(5, high, 0, 100).adverts(6, highest, 105, 105).adverts(5, high, 110, 300) }, 2},
		{"a goodbye", func(w *wire) { w.adverts(5, high, 0, 100).adverts(5, 0, 105, 125).adverts(5, high, 150, 300) }, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(quick)
			tt.talk(w)
			if got := len(terms(w.stand, w.frames)); got != tt.want {
				t.Errorf("%d terms, want %d", got, tt.want)
			}
		})
	}
}

func TestAnnouncementsAreCountedInTheTermsThatAreLongEnough(t *testing.T) {
	announce := func(w *wire, times ...float64) {
		mac := w.stand.Cell.mac()
		for _, ms := range times {
			w.frames = append(w.frames, Frame{At: at(ms), Kind: Gratuitous, From: mac, Target: netip.MustParseAddr("192.0.2.100"), Ours: true})
		}
	}
	for _, tt := range []struct {
		name  string
		talk  func(*wire)
		wrong string
	}{
		{"five in the first second", func(w *wire) { w.adverts(5, high, 0, 2000); announce(w, 1, 201, 401, 601, 801) }, ""},
		{"four", func(w *wire) { w.adverts(5, high, 0, 2000); announce(w, 1, 201, 401, 601) }, "4 announcements within 1.8s"},
		{"the fifth comes seconds later", func(w *wire) { w.adverts(5, high, 0, 9000); announce(w, 1, 201, 401, 601, 5001) }, "4 announcements within 1.8s"},
		{"the term is too short", func(w *wire) { w.adverts(5, high, 0, 1500); announce(w, 1, 201, 401, 601, 801) }, "never owner for 1.8s"},
		{"a part that is too short does not count", func(w *wire) {
			w.adverts(5, high, 0, 500).adverts(5, high, 700, 3000)
			announce(w, 1, 701, 901, 1101, 1301, 1501)
		}, ""},
		{"nor does what was said in it", func(w *wire) {
			w.adverts(5, high, 0, 500).adverts(5, high, 700, 3000)
			announce(w, 1, 201, 401, 701, 901)
		}, "2 announcements within 1.8s"},
		{"all parts are too short", func(w *wire) {
			w.adverts(5, high, 0, 900).adverts(5, high, 1000, 2500)
			announce(w, 1, 201, 401, 1001, 1201)
		}, ""},
		{"and in all of them it announces too little", func(w *wire) {
			w.adverts(5, high, 0, 900).adverts(5, high, 1000, 2500)
			announce(w, 1, 201, 401, 1001)
		}, "4 announcements within 2.5s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := quick
			c.VirtualMAC = true
			w := newWire(c)
			tt.talk(w)
			err := v66(w.stand, w.frames)
			if tt.wrong != "" {
				finds(t, err, tt.wrong)
			} else if err != nil {
				t.Errorf("the judge says %v", err)
			}
		})
	}
}

func TestTheClientsGapSaysNothingWhereNobodyToldIt(t *testing.T) {
	long := lab.ProbeReport{Longest: 1500 * time.Millisecond, Stall: 10 * time.Millisecond}
	s := &Stand{lapses: []Lapse{{Untold: true}, {}}, watched: 1}
	finds(t, s.gap(long, time.Second), "no answer for 1.5s")
	if err := s.gap(long, 1490*time.Millisecond); err != nil {
		t.Errorf("a gap that may be: %v", err)
	}
	s.watched = 0
	if err := s.gap(long, time.Second); err != nil {
		t.Errorf("where nobody told it: %v", err)
	}
}
