package interop

import (
	"net"
	"net/netip"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// Settings are what may change while a speaker runs.
type Settings struct {
	Priority  int
	Interval  time.Duration
	Addresses []netip.Prefix
}

// A Speaker is one side of a cell: a program that speaks VRRP on a host. Its methods fail the test.
type Speaker interface {
	// Host is where it runs.
	Host() *lab.Host
	// Start starts it, after the machine has been switched on again too.
	Start(Settings)
	// Set changes the settings of the running program, as its operator would.
	Set(Settings)
	// Stop ends it in order.
	Stop()
	// Kill ends it without a word, and leaves the machine as it is.
	Kill()
}

// realtime starts a peer's program with the scheduling that quorate's keeper asks for itself, where the user
// may have that. Else a busy machine makes it late: it changes its state to and fro, and FRR's protodown is
// then wrong for good. Keepalived's own setting is not used, since with it a long reload ends the process.
func realtime(h *lab.Host, name string, argv ...string) *lab.Process {
	const script = `chrt --rr 50 true 2>/dev/null && exec chrt --rr 50 "$@"; exec "$@"`
	return h.Start(name, append([]string{"sh", "-c", script, "sh"}, argv...)...)
}

// aloof is what a peer's host with a virtual MAC needs, and does not do for itself: its interface is not to
// answer for the virtual address with its own hardware address, nor to teach that to whom it asks.
const aloof = `for i in all eth0; do echo 1 >/proc/sys/net/ipv4/conf/$i/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/$i/arp_announce; done
`

// vrid is the cell's virtual router.
const vrid = 51

// The addresses of a segment. The third host is the client.
const (
	virtual4, second4 = "192.0.2.100/24", "192.0.2.101/24"
	virtual6, second6 = "2001:db8::100/64", "2001:db8::101/64"
	linkLocal6        = "fe80::100/64" // the standard wants one, first
)

// addresses are the cell's virtual addresses: what is asked about is the last but for the second one.
func (c Cell) addresses(second bool) []netip.Prefix {
	texts := []string{virtual4, second4}
	if c.V6 {
		texts = []string{linkLocal6, virtual6, second6}
	}
	if !second {
		texts = texts[:len(texts)-1]
	}
	var out []netip.Prefix
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// virtual is the address that the client uses, and added the one that comes while all runs.
func (c Cell) virtual() string { return c.addresses(false)[len(c.addresses(false))-1].Addr().String() }
func (c Cell) added() string   { return c.addresses(true)[len(c.addresses(true))-1].Addr().String() }

// settings are what a side starts with.
func (c Cell) settings(priority int) Settings {
	return Settings{Priority: priority, Interval: c.Interval, Addresses: c.addresses(false)}
}

// mac is the virtual router's hardware address.
func (c Cell) mac() net.HardwareAddr {
	mac := net.HardwareAddr{0, 0, 0x5e, 0, 1, vrid}
	if c.V6 {
		mac[4] = 2
	}
	return mac
}

// own are the addresses of the n-th host of the segment.
func own(n string) []string { return []string{"192.0.2." + n + "/24", "2001:db8::" + n + "/64"} }

// base is the address of the n-th host in the cell's family.
func (c Cell) base(n string) string {
	if c.V6 {
		return "2001:db8::" + n
	}
	return "192.0.2." + n
}
