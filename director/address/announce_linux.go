package address

import (
	"errors"
	"fmt"
	"time"
)

// Announce tells the neighbours where each address is, once, from the interface's MAC address. An
// interface without neighbours to tell (not Ethernet, or without ARP) is passed over. It asks may of each
// address just before it is told of, since the call may have had to wait, and keeps silent about those
// that may not be told of any more. It tries all of them, and names each that it could not announce.
func (h *Host) Announce(as []Address, may func(Address) bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	order, byInterface, errs := sortOut("announce", as)
	if err := h.packets.file.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return fmt.Errorf("announce addresses: %w", err)
	}
	for _, name := range order {
		l, err := h.link(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("announce addresses: %w", err))
			continue
		}
		if !l.ethernet || l.flags&linkNoARP != 0 {
			continue
		}
		var frames [][]byte
		var told []Address
		for _, p := range byInterface[name] {
			if a := (Address{name, p}); may(a) {
				frames, told = append(frames, frame(l.mac, p.Addr(), l.forwards)), append(told, a)
			}
		}
		for i, err := range h.packets.sendFrames(frames, l.index) {
			if err != nil {
				errs = append(errs, fmt.Errorf("announce %s: %w", told[i], err))
			}
		}
	}
	return errors.Join(errs...)
}

// networkOrder returns the number whose bytes in memory are a and b.
func networkOrder(a, b byte) uint16 { return native.Uint16([]byte{a, b}) }
