package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
)

// Daemon is one of the two connection synchronisation daemons of a network namespace. Zero values
// of MaxLen, Group, Port and TTL are the kernel's own choice.
type Daemon struct {
	Master    bool // sends what this host knows; else a backup, which takes in what others send
	Interface string
	SyncID    uint8
	MaxLen    uint16 // longest message
	Group     netip.Addr
	Port      uint16
	TTL       uint8
}

// String returns the daemon in one line.
func (d Daemon) String() string {
	role := "backup"
	if d.Master {
		role = "master"
	}
	return fmt.Sprintf("%s sync daemon on %s, id %d", role, d.Interface, d.SyncID)
}

// satisfies reports whether a running daemon is what is wanted.
func (d Daemon) satisfies(want Daemon) bool {
	// what is not asked for may be anything
	want.MaxLen = cmp.Or(want.MaxLen, d.MaxLen)
	want.Port = cmp.Or(want.Port, d.Port)
	want.TTL = cmp.Or(want.TTL, d.TTL)
	if !want.Group.IsValid() {
		want.Group = d.Group
	}
	return d == want
}

// DiffDaemons returns the daemons to stop, and then those to start, that turn have into want. There
// is at most one daemon of each role.
func DiffDaemons(have, want []Daemon) (stop, start []Daemon) {
	for _, h := range have {
		if w, ok := sameRole(want, h.Master); !ok || !h.satisfies(w) {
			stop = append(stop, h)
		}
	}
	for _, w := range want {
		if h, ok := sameRole(have, w.Master); !ok || !h.satisfies(w) {
			start = append(start, w)
		}
	}
	return stop, start
}

func sameRole(daemons []Daemon, master bool) (Daemon, bool) {
	for _, d := range daemons {
		if d.Master == master {
			return d, true
		}
	}
	return Daemon{}, false
}
