package cluster

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Certificate says how old this member's certificate is.
type Certificate struct {
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	CAEnds  time.Time `json:"ca_ends"`           // all certificates of the cluster end with its CA's
	Trouble string    `json:"trouble,omitempty"` // why it is not renewed, though it should be
	Refused string    `json:"refused,omitempty"` // why no other member takes it
}

func (c Certificate) life() time.Duration { return c.Expires.Sub(c.Issued) }

// Late reports whether less than a third of the certificate's life is left, and it could last longer.
func (c Certificate) Late(now time.Time) bool {
	return c.Expires.Before(c.CAEnds) && c.Expires.Sub(now) < c.life()/3
}

// void reports whether the certificate proves nothing at now.
func (c Certificate) void(now time.Time) bool {
	return now.After(c.Expires) || now.Before(c.Issued.Add(-clockTolerance))
}

// due is when a member should renew its certificate. The last one before the CA's end lasts until that.
func (c Certificate) due(id string) time.Time {
	if !c.Expires.Before(c.CAEnds) {
		return c.CAEnds
	}
	sum := sha256.Sum256([]byte(id))
	window := c.life() / 12
	early := time.Duration(float64(window) * float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32))
	return c.Issued.Add(c.life()*2/3 - early)
}

// again is how long to wait after a renewal that failed, the nth in a row: a minute, and twice as long
// each time, to an hour. Where certificates last seconds, everything is that much faster.
func (c Certificate) again(n int) time.Duration {
	first, last := min(time.Minute, c.life()/50), min(time.Hour, c.life()/20)
	return min(first<<min(n, 10), last)
}
