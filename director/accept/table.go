package accept

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Address is an address that the host takes no packets for. Interface is empty but for one that is link-local,
// which another interface may have for itself. Values are comparable.
type Address struct {
	Addr      netip.Addr
	Interface string // the kernel's name for it
}

// String returns the address in the form "192.0.2.1", or "fe80::1 on eth0".
func (a Address) String() string {
	if a.Interface == "" {
		return a.Addr.String()
	}
	return fmt.Sprintf("%s on %s", a.Addr, a.Interface)
}

// Table is the addresses that are refused, in order, each once. Only [NewTable] makes one that is not empty.
type Table []Address

// NewTable returns the table of some addresses, in whatever order they come.
func NewTable(all []Address) Table {
	t := make(Table, len(all))
	for i, a := range all {
		a.Addr = a.Addr.Unmap().WithZone("")
		if !a.Addr.Is6() || !a.Addr.IsLinkLocalUnicast() {
			a.Interface = ""
		}
		t[i] = a
	}
	slices.SortFunc(t, compare)
	return slices.Compact(t)
}

func compare(a, b Address) int {
	return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Interface, b.Interface))
}

// Has reports whether an address is refused.
func (t Table) Has(a Address) bool {
	_, ok := slices.BinarySearchFunc(t, a, compare)
	return ok
}

// Diff returns what must come to a table, and what must go, to make it another one. It is pure.
func (t Table) Diff(want Table) (add, remove Table) {
	for _, a := range want {
		if !t.Has(a) {
			add = append(add, a)
		}
	}
	for _, a := range t {
		if !want.Has(a) {
			remove = append(remove, a)
		}
	}
	return add, remove
}

// set is one of the kernel's sets: what the keys of its elements are, and how the program nft shows them.
type set struct {
	name  string
	width int    // of a key
	typ   uint32 // of nft(8), which the kernel only keeps
	has   func(Address) bool
	key   func(Address) []byte
}

// The types by which nft(8) shows keys; of several in one, each has six bits.
const (
	typeIPv4 = 7
	typeIPv6 = 8
	typeName = 41
)

var sets = []set{
	{
		name: "ipv4", width: 4, typ: typeIPv4,
		has: func(a Address) bool { return a.Addr.Is4() },
		key: func(a Address) []byte { return a.Addr.AsSlice() },
	},
	{
		name: "ipv6", width: 16, typ: typeIPv6,
		has: func(a Address) bool { return a.Addr.Is6() && a.Interface == "" },
		key: func(a Address) []byte { return a.Addr.AsSlice() },
	},
	{
		name: "link_local", width: 32, typ: typeIPv6<<6 | typeName,
		has: func(a Address) bool { return a.Addr.Is6() && a.Interface != "" },
		key: func(a Address) []byte { return append(a.Addr.AsSlice(), ifname(a.Interface)...) },
	},
}

// keys returns a table's keys in one of the sets, in order.
func (s set) keys(t Table) [][]byte {
	var all [][]byte
	for _, a := range t {
		if s.has(a) {
			all = append(all, s.key(a))
		}
	}
	return all
}

// ifname is the name of an interface as the kernel compares it.
func ifname(name string) []byte {
	b := make([]byte, nameSize)
	copy(b[:nameSize-1], name)
	return b
}
