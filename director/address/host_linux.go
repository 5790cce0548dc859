package address

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// Host is the addresses of this host, in one network namespace. Its methods may be called from
// several goroutines.
type Host struct {
	log      hclog.Logger
	packets  *socket
	watching sync.Mutex // held by Watch, which alone uses events
	events   *conn

	mu       sync.Mutex
	requests *conn
	made     map[Address]bool // what this process has put on the host
}

// New opens the sockets, in the network namespace of the calling thread.
func New(cfg Config) (*Host, error) {
	h := &Host{log: cfg.Log, made: map[Address]bool{}}
	if h.log == nil {
		h.log = hclog.NewNullLogger()
	}
	var err error
	if h.requests, err = dial(); err != nil {
		return nil, err
	}
	if h.events, err = dial(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	if err := h.events.quiet(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	// protocol 0: it sends to any interface and receives nothing
	if h.packets, err = openSocket(unix.AF_PACKET, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("open a packet socket: %w", err), h.Close())
	}
	return h, nil
}

// Close closes the sockets and ends a [Host.Watch]. The addresses stay.
func (h *Host) Close() error {
	var errs []error
	for _, c := range []*conn{h.requests, h.events} {
		if c != nil {
			errs = append(errs, c.file.Close())
		}
	}
	if h.packets != nil {
		errs = append(errs, h.packets.file.Close())
	}
	return errors.Join(errs...)
}

// Renew puts addresses on their interfaces for a lifetime, or gives those that are there a new one;
// 0 is for ever. The kernel counts in seconds, see [Lifetime]. An interface with a virtual MAC is set up
// for it. It tries all of them, and names each that it could not.
func (h *Host) Renew(as []Address, lifetime time.Duration) error {
	valid, err := seconds(lifetime)
	if err != nil {
		return fmt.Errorf("renew addresses: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	order, byInterface, errs := sortOut("renew", as)
	if len(order) == 0 {
		return errors.Join(errs...)
	}
	have, whole, err := h.entries()
	if err != nil && len(have) == 0 {
		return fmt.Errorf("renew addresses: read what is there: %w", err)
	}
	var work change
	for _, name := range order {
		l, err := h.prepared(name)
		if err == nil {
			err = h.raise(l)
		}
		if err != nil {
			for _, p := range byInterface[name] {
				errs = append(errs, fmt.Errorf("renew %s: %w", Address{name, p}, err))
			}
			continue
		}
		for _, p := range byInterface[name] {
			h.made[Address{name, p}] = true
		}
		ours := func(e entry) bool { return h.ours(name, e) }
		for _, s := range plan(have[l.index], h.parent(l, have), byInterface[name], valid, ours) {
			if s.remove && (!whole || !l.promotes) {
				continue // not on the word of part of a dump, nor where others would go with it
			}
			work.add(l, s)
		}
	}
	return errors.Join(append(errs, h.do(work)...)...)
}

// seconds returns a lifetime as the kernel counts it.
func seconds(lifetime time.Duration) (uint32, error) {
	if lifetime < 0 {
		return 0, fmt.Errorf("lifetime %v is negative", lifetime)
	}
	if s := Lifetime(lifetime) / time.Second; s > 0 && s < forEver {
		return uint32(s), nil
	}
	return forEver, nil
}

// Remove takes addresses from their interfaces. One that is not there is no error. An interface with a
// virtual MAC is set down when it has none left. It tries all of them, and names each that it could not
// remove.
func (h *Host) Remove(as []Address) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	order, byInterface, errs := sortOut("remove", as)
	var work change
	var links []link
	for _, name := range order {
		// without promote_secondaries, others of the subnet might go too
		l, err := h.prepared(name)
		if errors.Is(err, unix.ENODEV) {
			h.forget(name, byInterface[name])
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("remove addresses on %s: %w", name, err))
			continue
		}
		h.forget(name, byInterface[name])
		links = append(links, l)
		for _, p := range byInterface[name] {
			work.add(l, step{remove: true, prefix: p})
		}
	}
	errs = append(errs, h.do(work)...)
	return errors.Join(append(errs, h.lower(links))...)
}

// parent returns the addresses of the interface below one with a virtual MAC.
func (h *Host) parent(l link, have map[int][]entry) []entry {
	if !l.virtual() {
		return nil
	}
	return have[l.below]
}

func (h *Host) forget(name string, ps []netip.Prefix) {
	for _, p := range ps {
		delete(h.made, Address{name, p})
	}
}

// Present returns all addresses of the namespace with their remaining lifetimes, 0 for ever, but for
// those that the kernel does not use since it detected a duplicate, and those on an interface with a
// virtual MAC that somebody has set down. It returns all or an error.
func (h *Host) Present() (map[Address]time.Duration, error) {
	out := map[Address]time.Duration{}
	err := h.each(func(a Address, e entry) {
		if !e.v6() || !e.has(flagDADFailed) {
			out[a] = e.left()
		}
	})
	return out, err
}

// Ours returns the addresses that quorate made, earlier runs included. Kernels before 5.18 cannot
// record that; there it is those that this process made.
func (h *Host) Ours() (map[Address]time.Duration, error) {
	out := map[Address]time.Duration{}
	err := h.each(func(a Address, e entry) {
		if h.ours(a.Interface, e) {
			out[a] = e.left()
		}
	})
	return out, err
}

// each calls f, with the lock held, for every address.
func (h *Host) each(f func(Address, entry)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	links, err := h.links()
	if err != nil {
		return err
	}
	have, whole, err := h.entries()
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	if !whole {
		return fmt.Errorf("list addresses: %w", errInterrupted)
	}
	for index, entries := range have {
		for _, e := range entries {
			l, ok := links[index] // else it is new, and its turn comes with its event
			if ok && (!l.virtual() || l.flags&linkUp != 0) {
				f(Address{l.name, e.prefix}, e)
			}
		}
	}
	return nil
}

// Up reports whether an interface is administratively up and has carrier, as of now. Events come
// later: the kernel may hold back the loss of carrier for up to a second.
func (h *Host) Up(iface string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, err := h.link(iface)
	return err == nil && l.up()
}

// Primary returns the address that an interface's packets come from: the primary IPv4 address, or
// the link-local IPv6 address that the kernel itself uses. It is none of ignore, none that quorate
// made, and not one that is tentative or a duplicate.
func (h *Host) Primary(iface string, v6 bool, ignore map[netip.Addr]bool) (netip.Addr, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, err := h.link(iface)
	if err != nil {
		return netip.Addr{}, false
	}
	have, whole, err := h.entries()
	if err != nil || !whole {
		h.log.Warn("primary address is not known", "interface", iface, "err", err)
		return netip.Addr{}, false
	}
	return primary(have[l.index], v6, func(e entry) bool {
		return !ignore[e.prefix.Addr()] && !h.ours(iface, e)
	})
}

// primary chooses from an interface's addresses, in the kernel's order. An own address is a
// secondary as long as one of ours came first, so that this is a preference only.
func primary(have []entry, v6 bool, own func(entry) bool) (netip.Addr, bool) {
	have = slices.DeleteFunc(slices.Clone(have), func(e entry) bool { return e.v6() != v6 || !own(e) })
	if v6 {
		for _, e := range slices.Backward(have) { // the kernel takes the oldest, and has it last
			if e.prefix.Addr().IsLinkLocalUnicast() && !e.has(flagTentative) && !e.has(flagDADFailed) {
				return e.prefix.Addr(), true
			}
		}
		return netip.Addr{}, false
	}
	for _, want := range []func(entry) bool{
		func(e entry) bool { return e.scope == 0 && !e.has(flagSecondary) },
		func(e entry) bool { return e.scope == 0 },
		func(entry) bool { return true },
	} {
		if i := slices.IndexFunc(have, want); i >= 0 {
			return have[i].prefix.Addr(), true
		}
	}
	return netip.Addr{}, false
}

// ours reports whether quorate made an address.
func (h *Host) ours(iface string, e entry) bool {
	return e.proto == mark || h.made[Address{iface, e.prefix}]
}
