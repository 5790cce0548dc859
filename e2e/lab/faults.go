package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Traffic is a kind of packets on a wire, as an expression of nft's bridge family.
type Traffic []string

// AllTraffic is everything, ARP included.
func AllTraffic() Traffic { return Traffic{""} }

// VRRP is IP protocol 112, of both families.
func VRRP() Traffic { return Traffic{"ip protocol 112", "ip6 nexthdr 112"} }

// ClusterTraffic is the agents' TCP port, 7400, in both roles of a connection.
func ClusterTraffic() Traffic { return Traffic{"tcp dport 7400", "tcp sport 7400"} }

// ToClusterPort is what goes to the agents' TCP port: where it is dropped, nobody reaches the receiver's agent, and that
// agent reaches all others.
func ToClusterPort() Traffic { return Traffic{"tcp dport 7400"} }

// GossipTraffic is port 7401, TCP and UDP.
func GossipTraffic() Traffic {
	return Traffic{"tcp dport 7401", "tcp sport 7401", "udp dport 7401", "udp sport 7401"}
}

// AgentTraffic is all that agents say to each other but VRRP.
func AgentTraffic() Traffic { return append(ClusterTraffic(), GossipTraffic()...) }

// ARP is address resolution: ARP, and neighbour discovery of IPv6.
func ARP() Traffic {
	return Traffic{"ether type arp", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }"}
}

// SyncTraffic is what IPVS sync daemons send, to UDP port 8848.
func SyncTraffic() Traffic { return Traffic{"udp dport 8848"} }

// once makes an undo that may be called more than once.
func once(f func()) func() { return sync.OnceFunc(f) }

// filter adds drop rules to the switch. They see frames between two ports: what is sent by iifname, and
// received by oifname.
func (n *Net) filter(rules []string) (undo func()) {
	n.t.Helper()
	n.mu.Lock()
	n.faults++
	table := fmt.Sprintf("fault%d", n.faults)
	n.mu.Unlock()
	script := fmt.Sprintf("table bridge %s {\n chain forward {\n type filter hook forward priority -200;\n %s\n }\n}\n",
		table, strings.Join(rules, "\n "))
	if err := n.nft(script); err != nil {
		n.t.Fatalf("lab: filter on the switch: %v", err)
	}
	return once(func() {
		n.t.Helper()
		if err := n.nft("delete table bridge " + table + "\n"); err != nil {
			n.t.Fatalf("lab: remove a filter on the switch: %v", err)
		}
	})
}

func (n *Net) nft(script string) error {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	out, err := n.sw.output(cmd)
	if err != nil {
		return fmt.Errorf("nft: %w: %s: %s", err, firstLines(out, 5), script)
	}
	return nil
}

// DropFrom drops what one host sends to another, in that direction only. Without segments it does so on
// all that they share.
func (n *Net) DropFrom(from, to *Host, what Traffic, on ...*Segment) (undo func()) {
	n.t.Helper()
	rules := dropRules(from, to, what, on)
	if len(rules) == 0 {
		n.t.Fatalf("lab: %s and %s share no such segment", from.Name, to.Name)
	}
	return n.filter(rules)
}

// Partition drops what the hosts of one side send to those of the other, and back.
func (n *Net) Partition(one, other []*Host, what Traffic, on ...*Segment) (undo func()) {
	n.t.Helper()
	var rules []string
	for _, a := range one {
		for _, b := range other {
			rules = append(rules, dropRules(a, b, what, on)...)
			rules = append(rules, dropRules(b, a, what, on)...)
		}
	}
	if len(rules) == 0 {
		n.t.Fatalf("lab: the sides of the partition share no such segment")
	}
	return n.filter(rules)
}

// Lose drops that share, between 0 and 1, of what the host sends and receives on a segment.
func (n *Net) Lose(h *Host, share float64, on *Segment) (undo func()) {
	n.t.Helper()
	p := h.port(on)
	limit := int(share * 10000)
	return n.filter([]string{
		fmt.Sprintf("oifname %q numgen random mod 10000 < %d drop", p.outside, limit),
		fmt.Sprintf("iifname %q numgen random mod 10000 < %d drop", p.outside, limit),
	})
}

func dropRules(from, to *Host, what Traffic, on []*Segment) []string {
	var rules []string
	for _, p := range from.ports {
		for _, q := range to.ports {
			if p.segment != q.segment || !allowed(p.segment, on) {
				continue
			}
			for _, expr := range what {
				rules = append(rules, fmt.Sprintf("iifname %q oifname %q %s drop", p.outside, q.outside, expr))
			}
		}
	}
	return rules
}

func allowed(s *Segment, on []*Segment) bool {
	if slices.Contains(on, s) {
		return true
	}
	return len(on) == 0
}

// ErrNoDelay means that this kernel cannot delay packets. The guest's can.
var ErrNoDelay = errors.New("this kernel has no netem")

// Delay makes everything that the host sends and receives on a segment later by d, give or take jitter.
func (n *Net) Delay(h *Host, d, jitter time.Duration, on *Segment) (undo func(), err error) {
	n.t.Helper()
	sp, err := h.on()
	if err != nil {
		return nil, err
	}
	p := h.port(on)
	remove1, err := netem(n.sw.nl, p.outside, d, jitter)
	if err != nil {
		return nil, err
	}
	remove2, err := netem(sp.nl, p.name, d, jitter)
	if err != nil {
		remove1()
		return nil, err
	}
	return once(func() { remove1(); remove2() }), nil
}

func netem(nl *netlink.Handle, name string, d, jitter time.Duration) (remove func(), err error) {
	link, err := nl.LinkByName(name)
	if err != nil {
		return nil, err
	}
	attrs := netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
	q := netlink.NewNetem(attrs, netlink.NetemQdiscAttrs{
		Latency: uint32(d.Microseconds()), Jitter: uint32(jitter.Microseconds()), Limit: 10000,
	})
	if err := nl.QdiscAdd(q); err != nil {
		return nil, fmt.Errorf("delay on %s: %w: %w", name, ErrNoDelay, err)
	}
	return func() { nl.QdiscDel(q) }, nil
}

// Unplug pulls the host's cable out of a segment: its interface loses carrier.
func (n *Net) Unplug(h *Host, s *Segment) (undo func()) {
	n.t.Helper()
	p := h.port(s)
	set := func(change func(netlink.Link) error) {
		n.t.Helper()
		link, err := n.sw.nl.LinkByName(p.outside)
		if err == nil {
			err = change(link)
		}
		if err != nil && h.On() {
			n.t.Fatalf("lab: cable of %s on %s: %v", h.Name, s.Name, err)
		}
	}
	set(n.sw.nl.LinkSetDown)
	return once(func() {
		n.t.Helper()
		set(n.sw.nl.LinkSetUp)
		if err := p.awaitUp(h); err != nil && h.On() {
			n.t.Fatalf("lab: cable of %s on %s: %v", h.Name, s.Name, err)
		}
	})
}

// Rewire puts the host's cable, which is in one segment, into another. Its carrier stays. Faults on what the host
// sends and receives go with the cable.
func (n *Net) Rewire(h *Host, from, to *Segment) (undo func()) {
	n.t.Helper()
	p := h.port(from)
	put := func(s *Segment) {
		n.t.Helper()
		link, err := n.sw.nl.LinkByName(p.outside)
		if err == nil {
			err = n.sw.nl.LinkSetMaster(link, s.bridge)
		}
		if err != nil && h.On() {
			n.t.Fatalf("lab: put the cable of %s into %s: %v", h.Name, s.Name, err)
		}
	}
	put(to)
	return once(func() {
		n.t.Helper()
		put(from)
	})
}

// Die is the death of the machine: no cable carries another byte, every process is gone, and with them
// what the kernel had. What is on its disk stays.
func (h *Host) Die() { h.switchOff() }

// Revive switches a dead machine on. It has its own addresses and files, and runs nothing of the test's.
func (h *Host) Revive() {
	h.net.t.Helper()
	if h.On() {
		return
	}
	if err := h.switchOn(); err != nil {
		h.net.t.Fatalf("lab: revive %s: %v", h.Name, err)
	}
}

// fillerFile is what takes the room of a full disk.
const fillerFile = ".filler"

// ResizeDisk makes the host's data directory another size, as "16m". Only directors have a disk of their own.
func (h *Host) ResizeDisk(size string) {
	h.net.t.Helper()
	if err := (mount{"tmpfs", h.DataDir(), "tmpfs", unix.MS_REMOUNT, "mode=755,size=" + size}).do(); err != nil {
		h.net.t.Fatalf("lab: resize the disk of %s: %v", h.Name, err)
	}
}

// FillDisk leaves no byte free for the host's data directory. Only directors have a disk of their own.
func (h *Host) FillDisk() (undo func()) {
	h.net.t.Helper()
	if h.cfg.disk == "" {
		h.net.t.Fatalf("lab: %s has no disk of its own to fill", h.Name)
	}
	path := filepath.Join(h.DataDir(), fillerFile)
	f, err := os.Create(path)
	if err != nil {
		h.net.t.Fatalf("lab: fill the disk of %s: %v", h.Name, err)
	}
	for size := 1 << 20; size > 0; {
		if _, err = f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		h.net.t.Fatalf("lab: fill the disk of %s: %v", h.Name, err)
	}
	return once(func() { os.Remove(path) })
}

// DataDir is the host's disk for the program's data.
func (h *Host) DataDir() string { return filepath.Join(h.Dir, "data") }
