package address

import (
	"errors"
	"fmt"
	"time"
)

// Announce tells the neighbours where each address is, once, from the interface's MAC address. An
// interface without neighbours to tell (not Ethernet, or without ARP) is passed over. It tries all
// of them, and names each that it could not announce.
func (h *Host) Announce(as []Address) error {
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
		frames := make([][]byte, len(byInterface[name]))
		for i, p := range byInterface[name] {
			frames[i] = frame(l.mac, p.Addr(), l.forwards)
		}
		for i, err := range h.packets.sendFrames(frames, l.index) {
			if err != nil {
				errs = append(errs, fmt.Errorf("announce %s: %w", Address{name, byInterface[name][i]}, err))
			}
		}
	}
	return errors.Join(errs...)
}

// networkOrder returns the number whose bytes in memory are a and b.
func networkOrder(a, b byte) uint16 { return native.Uint16([]byte{a, b}) }
