package address

import (
	"fmt"
	"hash/fnv"
	"strconv"
)

// VirtualMAC is an interface that has a virtual router's MAC address (RFC 9568, section 7.3) beside its
// parent's own. Values are comparable.
type VirtualMAC struct {
	Parent string
	VRID   uint8
	V6     bool
}

// MAC returns 00:00:5e:00:01:VRID, or :02: for IPv6.
func (v VirtualMAC) MAC() [6]byte {
	mac := [6]byte{0, 0, 0x5e, 0, 1, v.VRID}
	if v.V6 {
		mac[4] = 2
	}
	return mac
}

// nameLen is how long the kernel lets a name be.
const nameLen = 15

// Name returns the interface's name: "vrrp4.51.eth0", or with a sum of the parent's name where that is
// too long, "vrrp4.51.~1k3z".
func (v VirtualMAC) Name() string {
	family := 4
	if v.V6 {
		family = 6
	}
	name := fmt.Sprintf("vrrp%d.%d.%s", family, v.VRID, v.Parent)
	if len(name) <= nameLen {
		return name
	}
	const size = 4
	sum := fnv.New32a()
	sum.Write([]byte(v.Parent))
	short := "0000" + strconv.FormatUint(uint64(sum.Sum32()), 36)
	return fmt.Sprintf("vrrp%d.%d.~%s", family, v.VRID, short[len(short)-size:])
}

// String returns the interface as "vrrp4.51.eth0".
func (v VirtualMAC) String() string { return v.Name() }

// tag is the alias by which a later run knows an interface that this package made.
const tag = "quorate"

// unfit says why an interface cannot be the parent of one with a virtual MAC, or is nil. It is pure; what
// it does not see is found by trying.
func unfit(parent link) error {
	switch {
	case parent.flags&linkLoopback != 0:
		return fmt.Errorf("%s is a loopback: it has no segment", parent.name)
	case !parent.ethernet:
		return fmt.Errorf("%s is not Ethernet: it has no MAC address", parent.name)
	case parent.kind == "macvlan" || parent.kind == "macvtap":
		return fmt.Errorf("%s is a %s itself: the kernel would put a second MAC address on what lies below it", parent.name, parent.kind)
	case parent.kind == "ipvlan":
		return fmt.Errorf("%s is an ipvlan: it shares the MAC address of what lies below it", parent.name)
	case parent.slave != "" && parent.slave != "vrf":
		return fmt.Errorf("%s belongs to a %s: use that", parent.name, parent.slave)
	}
	return nil
}
