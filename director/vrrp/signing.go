package vrrp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/netip"
	"time"
)

const (
	stampLen  = 28
	stampType = 1
	macLen    = 16
)

// Stamp is the trailer by which keepalived 2.4.3 and later sign an advert:
//
//	type 1 | key | 0 | 0
//	seconds
//	1/65536 of a second | counter
//	HMAC-SHA256, the first 16 bytes
//
// The HMAC covers family, version, VRID and source, and the message up to the HMAC with its checksum zero.
type Stamp struct {
	Key uint8
	// Sequence is the sender's clock in 1/65536 of a second, then a counter of 16 bits.
	Sequence uint64
	MAC      [macLen]byte
}

func (s *Stamp) append(b []byte) []byte {
	b = append(b, stampType, s.Key, 0, 0)
	b = binary.BigEndian.AppendUint64(b, s.Sequence)
	return append(b, s.MAC[:]...)
}

// parse reads a trailer, and reports whether it is one.
func (s *Stamp) parse(b []byte) bool {
	s.Key, s.Sequence, s.MAC = b[1], binary.BigEndian.Uint64(b[4:]), [macLen]byte(b[12:])
	return b[0] == stampType && b[2] == 0 && b[3] == 0
}

// sequence returns the sequence that a clock shows.
func sequence(now time.Time) uint64 {
	return uint64(uint32(now.Unix()))<<32 | uint64(now.Nanosecond())<<16/1e9<<16
}

// Key is a shared secret of 32 to 64 bytes.
type Key struct {
	ID     uint8 // not 0
	Secret []byte
}

// Signing signs adverts and verifies them. It is used by one goroutine at a time.
type Signing struct {
	// Active is the key that signs; 0 signs nothing and verifies only.
	Active uint8
	// Optional believes adverts without a trailer too, while keys are rolled out.
	Optional bool
	// Window is how far a sender's clock may be from ours; zero is three intervals, 5 s at least.
	Window time.Duration
	// Monotonic does not look at the clock: an advert must only be newer than the last of its sender.
	Monotonic bool

	macs   [256]hash.Hash
	last   uint64
	pseudo [20]byte
	sum    [sha256.Size]byte
}

// NewSigning returns the signing with keys, which are verified, and the one that signs, 0 for none.
func NewSigning(active uint8, keys ...Key) (*Signing, error) {
	s := &Signing{Active: active}
	var errs []error
	for _, k := range keys {
		switch {
		case k.ID == 0:
			errs = append(errs, errors.New("key 0: want an id of 1 to 255"))
		case len(k.Secret) < 32 || len(k.Secret) > 64:
			errs = append(errs, fmt.Errorf("key %d: %d bytes, want 32 to 64", k.ID, len(k.Secret)))
		case s.macs[k.ID] != nil:
			errs = append(errs, fmt.Errorf("key %d is there twice", k.ID))
		default:
			s.macs[k.ID] = hmac.New(sha256.New, k.Secret)
		}
	}
	if len(keys) == 0 {
		errs = append(errs, errors.New("no keys to sign or verify with"))
	}
	if active != 0 && s.macs[active] == nil && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("there is no key %d to sign with", active))
	}
	return s, errors.Join(errs...)
}

// sign puts the next stamp at the end of a message, which has room for it. The checksum must be zero.
func (s *Signing) sign(now time.Time, msg []byte, src netip.Addr) {
	next := sequence(now)
	if int64(next-s.last) <= 0 { // the clock stands still, or went back
		next = s.last + 1
	}
	s.last = next
	stamp := Stamp{Key: s.Active, Sequence: next}
	at := len(msg) - stampLen
	stamp.append(msg[:at])
	copy(msg[len(msg)-macLen:], s.digest(s.Active, msg, src))
}

// verify reports whether the stamp at the end of a message is that of a key.
func (s *Signing) verify(stamp *Stamp, msg []byte, src netip.Addr) bool {
	if s.macs[stamp.Key] == nil {
		return false
	}
	return hmac.Equal(s.digest(stamp.Key, msg, src), stamp.MAC[:])
}

var zeros [macLen]byte

// digest computes the HMAC of a message that ends with a stamp.
func (s *Signing) digest(key uint8, msg []byte, src netip.Addr) []byte {
	s.pseudo = [20]byte{4, msg[0] >> 4, msg[1]}
	if src.Is6() {
		a := src.As16()
		s.pseudo[0] = 6
		copy(s.pseudo[4:], a[:])
	} else {
		a := src.As4()
		copy(s.pseudo[4:], a[:])
	}
	h := s.macs[key]
	h.Reset()
	h.Write(s.pseudo[:])
	h.Write(msg[:6])
	h.Write(zeros[:2])
	h.Write(msg[8 : len(msg)-macLen])
	h.Write(zeros[:])
	return h.Sum(s.sum[:0])[:macLen]
}
