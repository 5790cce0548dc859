package interop

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// A Stand is a segment with quorate, a peer and a client, and a cell that lives there.
type Stand struct {
	*lab.Net
	Cell    Cell
	Segment *lab.Segment
	Client  *lab.Host
	Watcher *lab.Host // asks who serves: the answers to the client's own questions would put its table right
	Quorate Speaker
	Peer    Speaker
	Capture *lab.Capture

	t     lab.T
	own   []netip.Addr  // quorate's, before it had a virtual one
	cuts  []cut         // times in which the two sides did not hear each other
	known time.Duration // how long the client was wrong, the last time that was looked at

	lapses  []Lapse // since they were asked for
	watched int     // how many of them were before the client was watched
}

// cut is a time in which the two sides did not hear each other, though the capture heard both.
type cut struct{ from, to time.Time }

// deaf tells whether that was in, or just before or after, a cut.
func (s *Stand) deaf(at time.Time) bool {
	return slices.ContainsFunc(s.cuts, func(c cut) bool {
		return at.After(c.from.Add(-s.Cell.Interval)) && at.Before(c.to.Add(s.Cell.Interval))
	})
}

// The numbers of the hosts in their networks.
const (
	quorateNumber = "5"
	peerNumber    = "6"
	watcherNumber = "8"
	clientNumber  = "9"
)

// captured is what of the wire the judges look at.
const captured = "ip proto 112 or ip6 proto 112 or arp or igmp or (icmp6 and ip6[40] >= 133 and ip6[40] <= 137) or ip6[6] = 0"

// A Drawing gives each stand host names of its own, and lets one be drawn at a time: hosts that are
// switched off and on in one test must not lose their names to another.
type Drawing struct {
	mu     sync.Mutex
	stands int
}

// NewStand draws the network of a cell, and begins its capture. Nothing runs yet.
func (d *Drawing) NewStand(t lab.T, c Cell) *Stand {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stands++
	id := strconv.Itoa(d.stands)
	n := lab.New(t)
	s := &Stand{Net: n, Cell: c, Segment: n.Segment("lan"), t: t}
	s.Client = n.Host("c"+id, s.Segment.At(own(clientNumber)...))
	s.Watcher = n.Host("w"+id, s.Segment.At(own(watcherNumber)...))
	director := n.Director("q"+id, s.Segment.At(own(quorateNumber)...))
	s.Quorate = &quorate{t: t, cell: c, on: director, binary: program(t)}
	peer := n.Host("p"+id, s.Segment.At(own(peerNumber)...))
	switch c.Peer {
	case Keepalived:
		s.Peer = &keepalived{t: t, cell: c, on: peer, to: c.base(quorateNumber)}
	case FRR:
		s.Peer = &frr{t: t, cell: c, on: peer}
	}
	for _, p := range director.Addresses("eth0") {
		s.own = append(s.own, p.Addr())
	}
	s.Capture = n.Capture(s.Segment, captured)
	return s
}

// program is the path of the program under test.
func program(t lab.T) string {
	t.Helper()
	path, err := filepath.Abs(os.Getenv(lab.EnvBinary))
	if err != nil || os.Getenv(lab.EnvBinary) == "" {
		t.Fatalf("no quorate binary: %q %v", os.Getenv(lab.EnvBinary), err)
	}
	return path
}

// sides are who owns first, and the other.
func (s *Stand) sides() (first, second Speaker) {
	if s.Cell.Role == Owner {
		return s.Quorate, s.Peer
	}
	return s.Peer, s.Quorate
}

// isQuorate tells whether that side is quorate.
func (s *Stand) isQuorate(x Speaker) bool { return x == s.Quorate }

// sent tells whether quorate sent the frame, by its address in the segment: with a virtual MAC, both sides
// send from the same hardware address.
func (s *Stand) sent(f Frame) bool { return slices.Contains(s.own, f.Src) }

// frames are all that was captured so far, but questions of quorate's host about its own address, which a keeper without
// control asks along with those about the virtual ones: nothing is announced by them.
func (s *Stand) frames() ([]Frame, error) {
	all, err := ReadCapture(s.Capture.File)
	return slices.DeleteFunc(all, func(f Frame) bool { return f.Kind == Gratuitous && s.sent(f) && f.Src == f.Target }), err
}

// marked are all frames, with the announcements and reports marked that left quorate's host.
func (s *Stand) marked() ([]Frame, error) {
	frames, err := s.frames()
	q, ok := s.Quorate.(*quorate)
	if err != nil || !ok || !s.Cell.VirtualMAC {
		return frames, err
	}
	left, err := q.said()
	mark(frames, left)
	return frames, err
}

// mark marks the announcements and reports among frames that left quorate's host, each of them once: the
// first one of the same bytes that was captured when that one had left, or a moment later. The peer may
// announce the same at any time.
func mark(frames, left []Frame) {
	for _, l := range left {
		i := slices.IndexFunc(frames, func(f Frame) bool {
			late := f.At.Sub(l.At)
			return !f.Ours && late >= 0 && late < 5*time.Millisecond && (f.Kind == Gratuitous || f.Kind == Membership) && slices.Equal(f.Bytes, l.Bytes)
		})
		if i >= 0 {
			frames[i].Ours = true
		}
	}
}

// adverts are the adverts of one side from a time on, in order.
func (s *Stand) adverts(of Speaker, since time.Time) ([]Frame, error) {
	all, err := s.frames()
	return slices.DeleteFunc(all, func(f Frame) bool {
		return f.Kind != Advert || f.At.Before(since) || s.sent(f) != s.isQuorate(of)
	}), err
}

// silence is the time on the wire between the last that the old owner said and the first that the new one
// did, after a time. A goodbye is what the old one said first of those. It is 0 where the new one had
// spoken all the time, since the old one had a lapse just before.
func (s *Stand) silence(from, to Speaker, since time.Time) (time.Duration, error) {
	news, err := s.adverts(to, time.Time{})
	if err != nil {
		return 0, err
	}
	news = slices.DeleteFunc(news, func(f Frame) bool { return f.Priority == 0 })
	if len(news) == 0 || news[len(news)-1].At.Before(since) {
		return 0, fmt.Errorf("no advert of the new owner in %s", s.Capture.File)
	}
	olds, err := s.adverts(from, time.Time{})
	if err != nil {
		return 0, err
	}
	if len(olds) == 0 {
		return 0, fmt.Errorf("no advert of the old owner in %s", s.Capture.File)
	}
	return silence(olds, news, since), nil
}

// silence is what the adverts of an old owner and those of a new one say of a takeover since a time, or 0.
func silence(olds, news []Frame, since time.Time) time.Duration {
	first := slices.IndexFunc(news, func(f Frame) bool { return !f.At.Before(since) })
	if first > 0 && news[first].At.Sub(news[first-1].At) < 2*news[first].Interval {
		return 0
	}
	var last Frame
	for _, f := range olds {
		if f.At.After(news[first].At) {
			break
		}
		if f.Priority == 0 && !last.At.IsZero() && last.Priority == 0 {
			continue // it is said more than once
		}
		last = f
	}
	if last.At.IsZero() {
		return 0
	}
	return news[first].At.Sub(last.At)
}

// serves says what is wrong while that side should serve the address.
func (s *Stand) serves(side Speaker, address string) error {
	return OneOwner(s.Net, s.Watcher, s.Segment, address, side.Host())
}

// knows says what is wrong with the client's neighbour table while that side should serve. With a virtual MAC
// on both sides it has nothing else.
func (s *Stand) knows(side Speaker) error {
	if s.Cell.VirtualMAC {
		if mac := s.Client.Neighbour(s.Cell.virtual()); !strings.EqualFold(mac, s.Cell.mac().String()) {
			return fmt.Errorf("the client believes that %s is at %q, want %v", s.Cell.virtual(), mac, s.Cell.mac())
		}
	}
	return NeighbourRight(s.Client, s.Segment, s.Cell.virtual(), side.Host())
}

// filter is tshark's for what quorate sent, its announcements too. With a virtual MAC, the peer's are with them.
func (s *Stand) filter() string {
	var from []string
	for _, a := range s.own {
		field := "ip.src"
		if a.Is6() {
			field = "ipv6.src"
		}
		from = append(from, fmt.Sprintf("%s == %v", field, a))
	}
	mac := s.Quorate.Host().MAC(s.Segment)
	if s.Cell.VirtualMAC {
		mac = s.Cell.mac()
	}
	return fmt.Sprintf("vrrp && (%s) || (arp || icmpv6.type == 136) && eth.src == %v", strings.Join(from, " || "), mac)
}
