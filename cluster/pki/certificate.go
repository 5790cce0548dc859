package pki

import (
	"crypto/sha256"
	"crypto/x509"
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

// AgeOf returns how old a certificate is that a CA has signed, or will.
func AgeOf(cert, ca *x509.Certificate) Certificate {
	return Certificate{Issued: cert.NotBefore.Add(ClockTolerance), Expires: cert.NotAfter, CAEnds: ca.NotAfter}
}

func (c Certificate) life() time.Duration { return c.Expires.Sub(c.Issued) }

// Late reports whether less than a third of the certificate's life is left, and it could last longer.
func (c Certificate) Late(now time.Time) bool {
	return c.Expires.Before(c.CAEnds) && c.Expires.Sub(now) < c.life()/3
}

// Void reports whether the certificate proves nothing at now.
func (c Certificate) Void(now time.Time) bool {
	return now.After(c.Expires) || now.Before(c.Issued.Add(-ClockTolerance))
}

// Extended returns from when until when the certificate is to be good that a member makes for itself at now: for a life from
// then. It goes on to be good from when it was: should the clock be wrong, then what it was good for stays so.
func (c Certificate) Extended(now time.Time, life time.Duration) (from, until time.Time) {
	from, until = c.Issued, now.Add(life)
	if now.Before(from) {
		from = now
	}
	if until.Before(c.Expires) {
		until = c.Expires
	}
	return from, until
}

// Due returns when a member should renew its certificate. The last one before the CA's end lasts until that.
func (c Certificate) Due(id string) time.Time {
	if !c.Expires.Before(c.CAEnds) {
		return c.CAEnds
	}
	sum := sha256.Sum256([]byte(id))
	window := c.life() / 12
	early := time.Duration(float64(window) * float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32))
	return c.Issued.Add(c.life()*2/3 - early)
}

// Again returns how long to wait after a renewal that failed, the nth in a row: a minute, and twice as long
// each time, to an hour. Where certificates last seconds, everything is that much faster.
func (c Certificate) Again(n int) time.Duration {
	first, last := min(time.Minute, c.life()/50), min(time.Hour, c.life()/20)
	return min(first<<min(n, 10), last)
}
