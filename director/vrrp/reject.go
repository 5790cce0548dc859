package vrrp

import "time"

// rejection is why a filter does not let a datagram pass, as the length to which the kernel cuts it. None that
// passes is as short.
type rejection uint32

const (
	rejectTTL rejection = iota + 1
	rejectDestination
	rejectResignation
	rejectLength
	rejectVRID
)

// rejections are the reasons by their rejection.
var rejections = [...]Drop{
	rejectTTL: DropTTL, rejectDestination: DropDestination, rejectResignation: DropResignation,
	rejectLength: DropLength, rejectVRID: DropVRID,
}

// rejected returns why a datagram of that length was rejected, if it was.
func rejected(length int) (Drop, bool) {
	if length <= 0 || length >= len(rejections) {
		return "", false
	}
	return rejections[length], true
}

const (
	// calmRate is how many rejected datagrams a second are counted one by one. With more, the kernel drops
	// all but one of share, at random, which costs next to nothing.
	calmRate = 100
	share    = 256
	// strictTime is how long a flood is taken to go on before that is looked at again.
	strictTime = 10 * time.Second
)

// meter counts rejected datagrams, and says when the kernel is to let only a sample of them through. It does
// no I/O and is told the time.
type meter struct {
	strict bool
	begun  time.Time // of what seen counts
	seen   int
	// emptied says that nothing has waited once since strict became so: what comes is of a sample.
	emptied bool
}

// empty is told that nothing waits.
func (m *meter) empty() { m.emptied = true }

// count takes a rejected datagram, and returns how many it stands for.
func (m *meter) count(now time.Time) uint64 {
	if m.strict && !m.emptied {
		return 1 // it has waited since before
	}
	if m.strict {
		m.seen++
		return share
	}
	if now.Sub(m.begun) >= time.Second {
		m.begun, m.seen = now, 0
	}
	m.seen++
	return 1
}

// turn reports whether the kernel's filter must become another one: strict in a flood, or calm after it.
func (m *meter) turn(now time.Time) bool {
	switch {
	case !m.strict && m.seen > calmRate:
	case m.strict && now.Sub(m.begun) >= strictTime:
		if time.Duration(m.seen)*share*time.Second > calmRate*now.Sub(m.begun) {
			m.begun, m.seen = now, 0 // it goes on
			return false
		}
	default:
		return false
	}
	m.strict, m.emptied, m.begun, m.seen = !m.strict, false, now, 0
	return true
}
