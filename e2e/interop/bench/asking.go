package main

import (
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/e2e/interop"
	"github.com/quorate/quorate/e2e/lab"
)

// asking asks who has each of some addresses again and again, by ARP: not by echo requests, since a thousand
// neighbours do not fit into a host's table, and since those that more than one host has reach only one.
type asking struct{ stop, done chan struct{} }

// askFrom begins to ask from a host, once each interval.
func askFrom(r *run, h *lab.Host, addresses map[*lab.Segment][]netip.Addr, interval time.Duration) *asking {
	a := &asking{make(chan struct{}), make(chan struct{})}
	frames := map[*lab.Segment][][]byte{}
	for s, all := range addresses {
		mac, from := h.MAC(s), h.Addr(s)
		for _, address := range all {
			b := append(slices.Repeat([]byte{0xff}, 6), mac...)
			b = append(append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1), mac...)
			b = append(append(b, from.AsSlice()...), 0, 0, 0, 0, 0, 0)
			frames[s] = append(frames[s], append(b, address.AsSlice()...))
		}
	}
	go func() {
		defer close(a.done)
		for {
			for s, f := range frames {
				h.Send(s, f...)
			}
			select {
			case <-a.stop:
				return
			case <-time.After(interval):
			}
		}
	}()
	r.Cleanup(a.end)
	return a
}

func (a *asking) end() {
	select {
	case <-a.stop:
	default:
		close(a.stop)
	}
	<-a.done
}

// twice is the longest time in which two hosts answered each question of one that asks for one address.
func twice(frames []interop.Frame, asker []byte) time.Duration {
	var longest time.Duration
	var began, asked time.Time // the run of questions, and the last one
	who := map[string]bool{}   // answered it
	for _, f := range frames {
		switch {
		case f.Op == 2 && slices.Equal(f.To, asker):
			who[string(f.SenderMAC)] = true
		case f.Op == 1 && slices.Equal(f.SenderMAC, asker):
			switch {
			case len(who) < 2:
				began = time.Time{}
			case began.IsZero():
				began = asked
			}
			if !began.IsZero() {
				longest = max(longest, f.At.Sub(began))
			}
			asked = f.At
			clear(who)
		}
	}
	return longest
}
