package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// privileged says what is missing if this process may not do an agent's work.
func privileged() error {
	var data [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("read own capabilities: %w", err)
	}
	for _, c := range []struct {
		bit  uint
		name string
	}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_NET_RAW, "CAP_NET_RAW"}} {
		if data[c.bit/32].Effective&(1<<(c.bit%32)) == 0 {
			return fmt.Errorf("no privilege %s, which addresses and IPVS need: run as root, or as the systemd unit does (`systemctl start quorate`)", c.name)
		}
	}
	return nil
}

// listen opens the API's unix socket: for root and for one group. A socket that nobody serves any
// more is replaced.
func listen(path, group string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another agent serves %s: stop it first, or give this one a socket of its own in its agent file", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove stale socket: %w", err)
	}
	old := unix.Umask(0o177)
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return l, nil // no such group: the socket is root's alone
	}
	gid, err := strconv.Atoi(g.Gid)
	if err == nil {
		err = errors.Join(os.Chown(path, -1, gid), os.Chmod(path, 0o660))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("give socket %s to group %s: %w", path, group, err), l.Close())
	}
	return l, nil
}

// hostAddresses returns this host's own addresses, sorted: no loopback, and none of virtual. An address
// may have a lifetime and be the host's own all the same: it is from DHCP then.
func hostAddresses(virtual map[netip.Addr]bool) ([]netip.Addr, error) {
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list this host's addresses: %w", err)
	}
	var out []netip.Addr
	for _, a := range list {
		addr, ok := netip.AddrFromSlice(a.IP)
		addr = addr.Unmap()
		if ok && !addr.IsLoopback() && !virtual[addr] {
			out = append(out, addr)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out), nil
}

// gatewayOn returns the next hop of the default route that leaves by an interface, of the family of source.
func gatewayOn(iface string, source netip.Addr) (netip.Addr, bool) {
	link, err := netlink.LinkByName(iface)
	if err != nil {
		return netip.Addr{}, false
	}
	family := netlink.FAMILY_V4
	if source.Is6() {
		family = netlink.FAMILY_V6
	}
	routes, err := netlink.RouteList(link, family)
	if err != nil {
		return netip.Addr{}, false
	}
	for _, r := range routes {
		if r.Dst != nil && !r.Dst.IP.IsUnspecified() {
			continue
		}
		if gw, ok := netip.AddrFromSlice(r.Gw); ok {
			return gw.Unmap(), true
		}
	}
	return netip.Addr{}, false
}

// interfaceOf returns the interface that has an address, or "".
func interfaceOf(addr netip.Addr) string {
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return ""
	}
	for _, a := range list {
		if got, ok := netip.AddrFromSlice(a.IP); ok && got.Unmap() == addr {
			link, err := netlink.LinkByIndex(a.LinkIndex)
			if err != nil {
				return ""
			}
			return link.Attrs().Name
		}
	}
	return ""
}
