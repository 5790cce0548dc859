package address

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// change is a batch of requests, each with the address that it is about.
type change struct {
	about    []Address
	steps    []step
	requests []request
}

func (c *change) add(l link, s step) {
	r := request{kind: kindNewAddr, flags: unix.NLM_F_CREATE | unix.NLM_F_REPLACE}
	if s.remove {
		r, s.valid = request{kind: kindDelAddr}, 0
	}
	r.body = addressBody(l.index, s.prefix, s.flags, s.valid)
	c.about = append(c.about, Address{l.name, s.prefix})
	c.steps = append(c.steps, s)
	c.requests = append(c.requests, r)
}

// do sends a batch. What is to be removed and is not there is no error.
func (h *Host) do(c change) []error {
	var errs []error
	var send change
	for i, s := range c.steps {
		if s.err != nil {
			errs = append(errs, fmt.Errorf("renew %s: %w", c.about[i], s.err))
			continue
		}
		send.about = append(send.about, c.about[i])
		send.steps = append(send.steps, s)
		send.requests = append(send.requests, c.requests[i])
	}
	for i, err := range h.requests.batch(send.requests) {
		switch {
		case err == nil:
		case !send.steps[i].remove:
			errs = append(errs, fmt.Errorf("renew %s: %w", send.about[i], err))
		case !errors.Is(err, unix.EADDRNOTAVAIL) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENXIO):
			errs = append(errs, fmt.Errorf("remove %s: %w", send.about[i], err))
		}
	}
	return errs
}

// sortOut sorts addresses by interface, the order kept, and refuses those that are none.
func sortOut(doing string, as []Address) (order []string, byInterface map[string][]netip.Prefix, errs []error) {
	byInterface = map[string][]netip.Prefix{}
	for _, a := range as {
		if !a.Prefix.IsValid() || a.Prefix.Addr().Is4In6() || a.Prefix.Addr().Zone() != "" || a.Interface == "" {
			errs = append(errs, fmt.Errorf("%s %s: not an address on an interface", doing, a))
			continue
		}
		if byInterface[a.Interface] == nil {
			order = append(order, a.Interface)
		}
		byInterface[a.Interface] = append(byInterface[a.Interface], a.Prefix)
	}
	return order, byInterface, errs
}

// prepared returns an interface on which promote_secondaries is set, so that removing an IPv4
// address never removes others of its subnet.
func (h *Host) prepared(name string) (link, error) {
	l, err := h.link(name)
	if err != nil || l.promotes {
		return l, err
	}
	promote := settingsBody(l.index, "", map[uint16]uint32{confPromoteSecondaries: 1}, false)
	if err := h.requests.batch([]request{{kind: kindSetLink, body: promote}})[0]; err != nil {
		h.log.Warn("promote_secondaries cannot be set", "interface", name, "err", err)
		return l, nil
	}
	l.promotes = true
	return l, nil
}

// link returns one interface.
func (h *Host) link(name string) (link, error) {
	if len(name) >= unix.IFNAMSIZ {
		return link{}, fmt.Errorf("interface %q: %w", name, unix.ENODEV)
	}
	bodies, err := h.requests.ask(request{kind: kindGetLink, body: withoutStats(linkBody(0, name))})
	if err != nil {
		return link{}, fmt.Errorf("interface %s: %w", name, err)
	}
	if len(bodies) == 0 {
		return link{}, fmt.Errorf("interface %s: %w", name, errNoAnswer)
	}
	return parseLink(bodies[0])
}

func withoutStats(body []byte) []byte {
	return appendAttr(body, iflaExtMask, native.AppendUint32(nil, extMaskSkipStats))
}

// links returns all interfaces by index.
func (h *Host) links() (map[int]link, error) {
	bodies, err := h.requests.ask(request{
		kind: kindGetLink, flags: unix.NLM_F_DUMP, body: withoutStats(linkBody(0, "")),
	})
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	out := make(map[int]link, len(bodies))
	for _, b := range bodies {
		l, err := parseLink(b)
		if err != nil {
			return nil, fmt.Errorf("list interfaces: %w", err)
		}
		out[l.index] = l
	}
	return out, nil
}

// entries returns all addresses by the index of their interface, in the kernel's order. Whole is
// false if some may be missing.
func (h *Host) entries() (have map[int][]entry, whole bool, err error) {
	bodies, err := h.requests.ask(request{kind: kindGetAddr, flags: unix.NLM_F_DUMP, body: make([]byte, 8)})
	if err != nil && !errors.Is(err, errInterrupted) {
		return nil, false, err
	}
	whole = err == nil
	have = map[int][]entry{}
	for _, b := range bodies {
		e, err := parseEntry(b)
		if err != nil {
			return nil, false, err
		}
		have[e.index] = append(have[e.index], e)
	}
	return have, whole, nil
}
