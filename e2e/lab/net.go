package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// T is the part of [testing.TB] that the lab needs. A program that is not a test brings its own.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Failed() bool
	Name() string
	Cleanup(func())
	TempDir() string
}

// A Net is one network: segments, and hosts on them. It ends with its test, and all that runs in it.
type Net struct {
	DiskSize string // of directors that are added from now on, as "512m"; "" is what small configurations need

	t   T
	dir string // hosts' files: short, on a tmpfs
	sw  *space // the switch: a bridge for each segment, a port for each interface

	mu       sync.Mutex // guards what follows
	segments []*Segment
	hosts    []*Host
	captures []*Capture
	faults   int
	evidence string // directory, once evidence was taken
}

// A Segment is an Ethernet: a bridge that floods multicast, as a plain switch does.
type Segment struct {
	Name string

	net    *Net
	bridge *netlink.Bridge
}

// An Attachment is an interface to be: a host's place on a segment.
type Attachment struct {
	segment *Segment
	prefix  []netip.Prefix
}

// New makes an empty network that ends with the test.
func New(t T) *Net {
	t.Helper()
	if !Inside() {
		t.Fatalf("lab: not in a lab: call lab.Main or lab.MainHost from TestMain, or start the program by lab.Boot")
	}
	dir, err := newDir()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	n := &Net{t: t, dir: dir}
	n.sw, err = newSpace(spaceConfig{Name: takeName("switch"), Settings: switchSettings()})
	if err != nil {
		os.RemoveAll(dir)
		t.Fatalf("lab: make the switch: %v", err)
	}
	t.Cleanup(n.close)
	return n
}

func newDir() (string, error) {
	for i := 1; ; i++ {
		dir := filepath.Join(labDir, strconv.Itoa(i))
		err := os.Mkdir(dir, 0o755)
		if !os.IsExist(err) {
			return dir, err
		}
	}
}

// names are what the spaces of this lab's networks are called. A host keeps its name while it is off.
var names = struct {
	mu    sync.Mutex
	taken map[string]bool
}{taken: make(map[string]bool)}

// takeName is name, or name with a number if another network of this lab has a host of that name. It is
// the caller's until the caller gives it to freeName.
func takeName(name string) string {
	names.mu.Lock()
	defer names.mu.Unlock()
	free := name
	for i := 2; names.taken[free]; i++ {
		free = name + "." + strconv.Itoa(i)
	}
	names.taken[free] = true
	return free
}

func freeName(name string) {
	names.mu.Lock()
	defer names.mu.Unlock()
	delete(names.taken, name)
}

// Segment adds an Ethernet. Its name has at most 15 bytes.
func (n *Net) Segment(name string) *Segment {
	n.t.Helper()
	off := false
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	s := &Segment{Name: name, net: n, bridge: &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}}
	if err := n.sw.nl.LinkAdd(s.bridge); err != nil {
		n.t.Fatalf("lab: add segment %s: %v", name, err)
	}
	if err := n.sw.nl.LinkSetUp(s.bridge); err != nil {
		n.t.Fatalf("lab: add segment %s: %v", name, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.segments = append(n.segments, s)
	return s
}

// At is an interface on the segment with these addresses, each with its prefix length.
func (s *Segment) At(addresses ...string) Attachment {
	s.net.t.Helper()
	a := Attachment{segment: s}
	for _, text := range addresses {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			s.net.t.Fatalf("lab: segment %s: %v", s.Name, err)
		}
		a.prefix = append(a.prefix, p)
	}
	return a
}

// Host adds a machine and switches it on. Its interfaces are eth0, eth1 and so on, in order.
func (n *Net) Host(name string, at ...Attachment) *Host {
	n.t.Helper()
	return n.addHost(name, at, hostConfig{})
}

// hostConfig is what a kind of host has beside its interfaces.
type hostConfig struct {
	gateway  netip.Addr
	settings map[string]string
	disk     string            // size of a disk of its own for the data directory, as "64m"
	started  func(*Host) error // after each time it is switched on
}

func (n *Net) addHost(name string, at []Attachment, cfg hostConfig) *Host {
	n.t.Helper()
	h := &Host{Name: name, Dir: filepath.Join(n.dir, name), net: n, cfg: cfg, space: takeName(name)}
	for i, a := range at {
		h.ports = append(h.ports, newPort(h, i, a))
	}
	for _, dir := range []string{"etc", "data", "log", "run/lab"} {
		if err := os.MkdirAll(filepath.Join(h.Dir, dir), 0o755); err != nil {
			n.t.Fatalf("lab: host %s: %v", name, err)
		}
	}
	if cfg.disk != "" {
		if err := (mount{"tmpfs", h.DataDir(), "tmpfs", 0, "mode=755,size=" + cfg.disk}).do(); err != nil {
			n.t.Fatalf("lab: host %s: %v", name, err)
		}
	}
	n.mu.Lock()
	n.hosts = append(n.hosts, h)
	n.mu.Unlock()
	if err := h.switchOn(); err != nil {
		n.t.Fatalf("lab: host %s: %v", name, err)
	}
	return h
}

// Hosts are all machines of the network, in the order they were added.
func (n *Net) Hosts() []*Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.hosts)
}

// Find is the host of that name.
func (n *Net) Find(name string) *Host {
	n.t.Helper()
	for _, h := range n.Hosts() {
		if h.Name == name {
			return h
		}
	}
	n.t.Fatalf("lab: no host %q", name)
	return nil
}

// close ends everything, and takes evidence first if the test failed.
func (n *Net) close() {
	if n.t.Failed() {
		n.Evidence()
	}
	n.mu.Lock()
	captures := n.captures
	n.mu.Unlock()
	for _, c := range captures {
		c.stop()
	}
	for _, h := range n.Hosts() {
		h.switchOff()
		if h.cfg.disk != "" {
			unix.Unmount(h.DataDir(), unix.MNT_DETACH)
		}
		freeName(h.space)
	}
	n.sw.close()
	freeName(n.sw.name)
	os.RemoveAll(n.dir)
}

// A port is a host's interface and the other end of its cable.
type port struct {
	segment *Segment
	name    string // in the host: eth0
	outside string // in the switch
	mac     net.HardwareAddr
	prefix  []netip.Prefix
}

func newPort(h *Host, i int, a Attachment) *port {
	p := &port{segment: a.segment, name: "eth" + strconv.Itoa(i), prefix: a.prefix}
	p.outside = h.Name + "." + a.segment.Name
	if len(p.outside) > 15 {
		p.outside = fmt.Sprintf("%.9s.%d.%.2s", h.Name, i, a.segment.Name)
	}
	p.mac = net.HardwareAddr{2, 0, 0, 0, 0, byte(i)}
	if len(a.prefix) > 0 { // an address that is recognised in a capture: 02:00:c0:a8:01:02
		b := a.prefix[0].Addr().AsSlice()
		copy(p.mac[2:], b[len(b)-4:])
	}
	return p
}

// plug makes the cable between the switch and a host that is being switched on.
func (p *port) plug(h *Host) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MasterIndex = p.outside, p.segment.bridge.Index
	veth := &netlink.Veth{
		LinkAttrs: attrs, PeerName: p.name, PeerHardwareAddr: p.mac, PeerNamespace: netlink.NsFd(int(h.sp.net)),
	}
	sw := h.net.sw.nl
	if err := sw.LinkAdd(veth); err != nil {
		return fmt.Errorf("add %s: %w", p.outside, err)
	}
	if err := sw.LinkSetUp(veth); err != nil {
		return fmt.Errorf("set %s up: %w", p.outside, err)
	}
	link, err := h.sp.nl.LinkByName(p.name)
	if err != nil {
		return fmt.Errorf("find %s: %w", p.name, err)
	}
	if err := h.sp.nl.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", p.name, err)
	}
	for _, prefix := range p.prefix {
		addr := &netlink.Addr{IPNet: &net.IPNet{
			IP:   prefix.Addr().AsSlice(),
			Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
		}}
		if err := h.sp.nl.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("add %v to %s: %w", prefix, p.name, err)
		}
	}
	return nil
}

// awaitUp waits until the kernel has noticed the carrier at both ends. Until then it drops what is sent,
// without a word.
func (p *port) awaitUp(h *Host) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	sp, err := h.on()
	if err != nil {
		return err
	}
	return poll(ctx, func() error {
		for _, end := range []struct {
			nl   *netlink.Handle
			name string
		}{{h.net.sw.nl, p.outside}, {sp.nl, p.name}} {
			link, err := end.nl.LinkByName(end.name)
			if err != nil {
				return err
			}
			if state := link.Attrs().OperState; state != netlink.OperUp {
				return fmt.Errorf("%s is %v", end.name, state)
			}
		}
		return nil
	})
}
