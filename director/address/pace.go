package address

import "time"

// Pace limits how fast announcements leave each interface, as a bucket of tokens does: switches drop what
// comes faster than their processors take it. It reads no clock and is not safe for concurrent use. The
// zero value limits nothing.
type Pace struct {
	Rate  int // frames a second on one interface; 0 is without limit
	Burst int // frames at once after a pause

	buckets map[string]*bucket
}

// bucket is what one interface may send.
type bucket struct {
	tokens float64
	at     time.Time
}

// Take returns how many of n frames may leave an interface now, and counts them as sent.
func (p *Pace) Take(now time.Time, iface string, n int) int {
	if p.Rate <= 0 {
		return n
	}
	b := p.fill(now, iface)
	n = min(n, int(b.tokens))
	b.tokens -= float64(n)
	return n
}

// Next returns how long nothing may leave an interface; 0 if something may.
func (p *Pace) Next(now time.Time, iface string) time.Duration {
	if p.Rate <= 0 {
		return 0
	}
	// a hundredth of a second goes together, so that the sender is not woken for each frame
	enough := min(float64(max(p.Burst, 1)), max(1, float64(p.Rate)/100))
	lacks := enough - p.fill(now, iface).tokens
	if lacks <= 0 {
		return 0
	}
	return time.Duration(lacks / float64(p.Rate) * float64(time.Second))
}

func (p *Pace) fill(now time.Time, iface string) *bucket {
	if p.buckets == nil {
		p.buckets = map[string]*bucket{}
	}
	full := float64(max(p.Burst, 1))
	b := p.buckets[iface]
	if b == nil {
		b = &bucket{tokens: full, at: now}
		p.buckets[iface] = b
	}
	if gone := now.Sub(b.at).Seconds(); gone > 0 {
		b.tokens = min(full, b.tokens+gone*float64(p.Rate))
		b.at = now
	}
	return b
}
