package interop

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Peer is a foreign implementation.
type Peer string

// The peers.
const (
	Keepalived Peer = "keepalived"
	FRR        Peer = "frr"
)

// A Role is quorate's place in a cell before anything happens.
type Role string

// The roles: who has the better priority owns.
const (
	Owner   Role = "owner"
	Standby Role = "standby"
)

// A Cell is one combination of the matrix.
type Cell struct {
	Peer       Peer
	Role       Role
	Version    int // of VRRP: 2 or 3
	V6         bool
	Unicast    bool
	VirtualMAC bool // quorate's; FRR always has it, keepalived has it if quorate has
	Pass       bool // a password in the packets
	Interval   time.Duration

	// VirtualSource has FRR speak from a virtual address, and Named has quorate know it: in no cell of the matrix.
	VirtualSource, Named bool

	Plain bool // quorate's checksums have no pseudo-header: in no cell of the matrix, since neither peer believes them
}

// String names the cell as a subtest.
func (c Cell) String() string {
	parts := []string{string(c.Peer), string(c.Role), fmt.Sprintf("v%d", c.Version), "ipv4", "multicast", "nic", c.Interval.String()}
	if c.V6 {
		parts[3] = "ipv6"
	}
	if c.Unicast {
		parts[4] = "unicast"
	}
	if c.VirtualMAC {
		parts[5] = "vmac"
	}
	if c.Pass {
		parts = slices.Insert(parts, 6, "pass")
	}
	return strings.Join(parts, "-")
}

// possible tells whether both sides have the combination at all.
func (c Cell) possible() bool {
	switch {
	case c.Version == 2 && (c.V6 || c.Interval < time.Second): // the standard has neither
		return false
	case c.Pass && c.Version != 2: // nor passwords in version 3
		return false
	case c.Peer == FRR && (c.Unicast || c.Pass): // FRR has neither
		return false
	case c.Unicast && c.VirtualMAC: // quorate refuses it: frames from a MAC address of its own go to the group alone
		return false
	}
	return true
}

// Matrix is every cell that is possible.
func Matrix() []Cell {
	var cells []Cell
	both := []bool{false, true}
	for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond, 10 * time.Millisecond} {
		for _, peer := range []Peer{Keepalived, FRR} {
			for _, version := range []int{3, 2} {
				for _, bits := range product(both, 4) {
					for _, role := range []Role{Owner, Standby} {
						c := Cell{
							Peer: peer, Role: role, Version: version, V6: bits[0], Unicast: bits[1], VirtualMAC: bits[2], Pass: bits[3], Interval: interval,
						}
						if c.possible() {
							cells = append(cells, c)
						}
					}
				}
			}
		}
	}
	return cells
}

func product(values []bool, n int) [][]bool {
	if n == 0 {
		return [][]bool{nil}
	}
	var all [][]bool
	for _, rest := range product(values, n-1) {
		for _, v := range values {
			all = append(all, append(slices.Clone(rest), v))
		}
	}
	return all
}

// Quick leaves out of a matrix what a second adds to version 3: nothing but time.
func Quick(cells []Cell) []Cell {
	return slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return c.Version == 3 && c.Interval >= time.Second })
}

// values are the cell's value in each dimension, by name.
func (c Cell) values() []string {
	return []string{
		string(c.Peer), string(c.Role), fmt.Sprint("version ", c.Version), fmt.Sprint("IPv6 ", c.V6), fmt.Sprint("unicast ", c.Unicast),
		fmt.Sprint("virtual MAC ", c.VirtualMAC), fmt.Sprint("PASS ", c.Pass), fmt.Sprint("interval ", c.Interval),
	}
}

// pairs are the combinations of two values that a cell has.
func (c Cell) pairs() [][2]string {
	var pairs [][2]string
	v := c.values()
	for i := range v {
		for j := range i {
			pairs = append(pairs, [2]string{v[j], v[i]})
		}
	}
	return pairs
}

// Pairwise is a small part of the cells in which every two values that appear together in any of them
// appear together. Where two cells are as good, the faster one is taken.
func Pairwise(cells []Cell) []Cell {
	open := map[[2]string]bool{}
	for _, c := range cells {
		for _, p := range c.pairs() {
			open[p] = true
		}
	}
	left := slices.Clone(cells)
	slices.SortStableFunc(left, func(a, b Cell) int { return int(a.Interval - b.Interval) })
	var chosen []Cell
	for len(open) > 0 {
		best, most := 0, -1
		for i, c := range left {
			news := 0
			for _, p := range c.pairs() {
				if open[p] {
					news++
				}
			}
			if news > most {
				best, most = i, news
			}
		}
		for _, p := range left[best].pairs() {
			delete(open, p)
		}
		chosen = append(chosen, left[best])
		left = slices.Delete(left, best, best+1)
	}
	return chosen
}

// The priorities: the distance keeps the skew of the two apart at any interval.
const (
	high    = 150
	low     = 100
	highest = 200 // for the standby, when its priority is raised
	lowest  = 50  // for the owner, when its priority is lowered
)

// Skew is Skew_Time at a priority.
func (c Cell) Skew(priority int) time.Duration {
	if c.Version == 2 {
		return time.Duration(256-priority) * time.Second / 256
	}
	return time.Duration(256-priority) * c.Interval / 256
}

// Down is Active_Down_Interval at a priority.
func (c Cell) Down(priority int) time.Duration { return 3*c.Interval + c.Skew(priority) }
