package vrrp

import (
	"net/netip"
	"time"
)

// senders is how many senders' sequences are kept. Only who has the key gets in.
const senders = 64

// marks are the highest sequences heard, by sender.
type marks map[netip.Addr]mark

type mark struct {
	sequence uint64
	heard    time.Time
}

// advance reports whether a sequence is newer than the last of its sender, and takes note of it. A mark
// that is older than forget no longer counts; zero is never.
func (m marks) advance(now time.Time, src netip.Addr, sequence uint64, forget time.Duration) bool {
	last, known := m[src]
	if known && forget > 0 && now.Sub(last.heard) > forget {
		known = false
	}
	if known && int64(sequence-last.sequence) <= 0 {
		return false
	}
	if _, there := m[src]; !there && len(m) >= senders {
		m.evict()
	}
	m[src] = mark{sequence, now}
	return true
}

func (m marks) evict() {
	var oldest netip.Addr
	for src, k := range m {
		if !oldest.IsValid() || k.heard.Before(m[oldest].heard) {
			oldest = src
		}
	}
	delete(m, oldest)
}

// fresh reports whether a signed advert was made about now and is none that was heard before.
func (j *Judge) fresh(now time.Time, src netip.Addr, p *Packet) Drop {
	signing := j.Profile.Signing
	if j.marks == nil {
		j.marks = marks{}
	}
	switch {
	case j.Profile.Auth == Header:
		// A sender that starts again counts from one: after a silence that made it lose its place, it
		// is heard.
		if !j.marks.advance(now, src, p.Stamp.Sequence, 4*j.Interval) {
			return DropReplay
		}
	case p.Signed:
		window := signing.Window
		if window == 0 {
			window = max(3*j.Interval, 5*time.Second)
		}
		apart := time.Duration(int32(uint32(now.Unix())-uint32(p.Stamp.Sequence>>32))) * time.Second
		if !signing.Monotonic && (apart > window || apart < -window) {
			return DropClock
		}
		if !j.marks.advance(now, src, p.Stamp.Sequence, 0) {
			return DropReplay
		}
	}
	return ""
}
