package address

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Preflight says why an interface cannot have virtual MAC addresses beside its own, or is nil. It makes
// one, never up, and removes it again. What a hypervisor or a switch does with frames from such an
// address it cannot see: there, foreign or forged MAC addresses must be allowed, often in several places.
func (h *Host) Preflight(parent string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, err := h.link(parent)
	if err == nil {
		err = unfit(l)
	}
	if err == nil && wireless(parent) {
		err = fmt.Errorf("%s is wireless: its access point drops frames from a MAC address that did not associate", parent)
	}
	if err != nil {
		return fmt.Errorf("virtual MAC: %w", err)
	}
	// with a MAC address of no VRID, so that it disturbs no router
	if err := h.createVirtual(l.index, "vrrp.try", [6]byte{2, 0, 0x5e, 0, 1, 0}); err != nil {
		return fmt.Errorf("virtual MAC on %s: %w", parent, explain(err))
	}
	return h.deleteVirtual("vrrp.try")
}

// explain adds what an error of the kernel means here.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("the kernel has no macvlan, and cannot load it: %w", err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("something else has taken the frames of the interface (a bridge, bond or ipvlan): %w", err)
	}
	return err
}

// wireless reports whether an interface is of a radio, where sysfs says so.
func wireless(name string) bool {
	for _, file := range []string{"phy80211", "wireless"} {
		if _, err := os.Stat(filepath.Join("/sys/class/net", name, file)); err == nil {
			return true
		}
	}
	return false
}

// VirtualMACs makes the interfaces that are wanted, takes up those that an earlier run made, and removes
// those of ours that are not wanted and have no address any more. Each is up only while it has an
// address: see [Host.Renew]. It returns what went wrong with each that cannot be had. The parent is made
// to answer for no address but its own; that stays.
func (h *Host) VirtualMACs(want []VirtualMAC) map[VirtualMAC]error {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[VirtualMAC]error{}
	all := func(err error) map[VirtualMAC]error {
		for _, v := range want {
			out[v] = fmt.Errorf("virtual MAC: %w", err)
		}
		return out
	}
	links, err := h.links()
	if err != nil {
		return all(err)
	}
	byName, wanted, some := map[string]link{}, map[string]bool{}, len(want) > 0
	for _, l := range links {
		byName[l.name] = l
		some = some || l.virtual()
	}
	if !some {
		return out
	}
	have, whole, err := h.entries()
	if err != nil {
		return all(err)
	}
	for _, v := range want {
		if wanted[v.Name()] {
			continue
		}
		wanted[v.Name()] = true
		if err := h.virtual(v, byName); err != nil {
			out[v] = fmt.Errorf("virtual MAC %s: %w", v, explain(err))
		}
	}
	for _, l := range links {
		if !l.virtual() || !whole || len(have[l.index]) > 0 {
			continue
		}
		var err error
		if !wanted[l.name] {
			err = h.deleteVirtual(l.name)
		} else if l.flags&linkUp != 0 {
			err = h.setUp(l, false)
		}
		if err != nil && !errors.Is(err, unix.ENODEV) {
			h.log.Warn("virtual MAC", "interface", l.name, "err", err)
		}
	}
	return out
}

// virtual makes one interface, or takes up the one that is there.
func (h *Host) virtual(v VirtualMAC, byName map[string]link) error {
	parent, ok := byName[v.Parent]
	if !ok {
		return fmt.Errorf("interface %s: %w", v.Parent, unix.ENODEV)
	}
	if err := unfit(parent); err != nil {
		return err
	}
	l, exists := byName[v.Name()]
	right := l.kind == "macvlan" && l.below == parent.index && l.mac == v.MAC()
	switch {
	case exists && !right && l.alias != tag:
		return fmt.Errorf("there is an interface of that name already, which is not quorate's")
	case exists && !right:
		if err := h.deleteVirtual(l.name); err != nil {
			return err
		}
		exists = false
	}
	if !exists {
		if wireless(v.Parent) {
			return fmt.Errorf("%s is wireless: its access point drops frames from a MAC address that did not associate", v.Parent)
		}
		if err := h.createVirtual(parent.index, v.Name(), v.MAC()); err != nil {
			return err
		}
		made, err := h.link(v.Name())
		if err != nil {
			return err
		}
		l = made
		quietIPv6(l.name)
	}
	return h.tune(l, parent)
}

// tune gives both interfaces the settings that they need, where they have not got them.
func (h *Host) tune(l, parent link) error {
	var requests []request
	set := func(index int, alias string, conf map[uint16]uint32, noIPv6 bool) {
		if len(conf) > 0 || alias != "" {
			requests = append(requests, request{kind: kindSetLink, body: settingsBody(index, alias, conf, noIPv6)})
		}
	}
	if l.alias != tag || l.arpIgnore == 0 || l.rpFilter != rpLoose || !l.promotes {
		set(l.index, tag, map[uint16]uint32{
			confARPIgnore:          1, // answer for its own addresses only
			confRPFilter:           rpLoose,
			confPromoteSecondaries: 1,
		}, true)
	}
	conf := map[uint16]uint32{}
	if parent.arpIgnore == 0 {
		conf[confARPIgnore] = 1 // it would answer for the virtual address with its own MAC address
	}
	if parent.arpAnnounce < arpAnnounceBest {
		conf[confARPAnnounce] = arpAnnounceBest // and teach it to whom it asks
	}
	set(parent.index, "", conf, false)
	return errors.Join(h.requests.batch(requests)...)
}

func (h *Host) createVirtual(parent int, name string, mac [6]byte) error {
	r := request{kind: kindNewLink, flags: unix.NLM_F_CREATE | unix.NLM_F_EXCL, body: macvlanBody(parent, name, mac)}
	return h.requests.batch([]request{r})[0]
}

func (h *Host) deleteVirtual(name string) error {
	return h.requests.batch([]request{{kind: kindDelLink, body: linkBody(0, name)}})[0]
}

func (h *Host) setUp(l link, up bool) error {
	return h.requests.batch([]request{{kind: kindSetLink, body: upBody(l.index, up)}})[0]
}

// raise sets an interface with a virtual MAC up, since it is about to get addresses.
func (h *Host) raise(l link) error {
	if !l.virtual() || l.flags&linkUp != 0 {
		return nil
	}
	if err := h.setUp(l, true); err != nil {
		return fmt.Errorf("set %s up: %w", l.name, err)
	}
	return nil
}

// lower sets those interfaces with a virtual MAC down that have no address any more: a Backup must not
// take, forward or learn anything by that MAC address.
func (h *Host) lower(links []link) error {
	links = slices.DeleteFunc(links, func(l link) bool { return !l.virtual() || l.flags&linkUp == 0 })
	if len(links) == 0 {
		return nil
	}
	have, whole, err := h.entries()
	if err != nil || !whole {
		return nil // the next look at the interfaces does it
	}
	var errs []error
	for _, l := range links {
		if len(have[l.index]) > 0 {
			continue
		}
		if err := h.setUp(l, false); err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("set %s down: %w", l.name, err))
		}
	}
	return errors.Join(errs...)
}

// quietIPv6 keeps router advertisements from giving an interface addresses made of the virtual MAC, and has
// the kernel say at once, not within a second, which groups it listens to: when a killed keeper's addresses
// have run out, another host is about to take over, and nothing may leave by the virtual MAC here any more.
// That is to be had by /proc alone, and is left where that cannot be written, or is of another namespace.
func quietIPv6(name string) {
	for _, setting := range []string{"accept_ra", "autoconf", "mldv1_unsolicited_report_interval", "mldv2_unsolicited_report_interval"} {
		_ = os.WriteFile(filepath.Join("/proc/sys/net/ipv6/conf", name, setting), []byte("0"), 0)
	}
}
