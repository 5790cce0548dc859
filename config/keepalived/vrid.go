package keepalived

import (
	"slices"

	"github.com/quorate/quorate/fsm"
)

// wire is where a VRID must be one router's.
type wire struct {
	iface string
	ipv6  bool
	vrid  uint8
}

// claim says whose a VRID is on a wire: that of an instance where it is itself, or of a router that is made of what it
// has elsewhere.
type claim struct {
	instance string
	itself   bool
}

// claims returns the VRIDs that instances have where they are. A router that is made takes none of them, whichever host
// has it.
func claims(hosts []*host) map[wire]claim {
	all := make(map[wire]claim)
	for _, h := range hosts {
		for _, i := range h.instances {
			addresses := slices.Concat(i.addresses, i.excluded)
			if i.vrid == 0 || len(addresses) == 0 {
				continue
			}
			w := wire{h.link(i.iface), addresses[0].net.Addr().Is6(), uint8(i.vrid)}
			if _, taken := all[w]; !taken {
				all[w] = claim{i.name, true}
			}
		}
	}
	return all
}

// id gives a router another VRID if that of its instance is another's on its interface, and returns whose.
func (m *model) id(i *instance, r *fsm.Router) (holder string) {
	mine := claim{i.name, r.Interface == m.host.link(i.iface)}
	for range 255 {
		w := wire{r.Interface, r.IPv6(), r.VRID}
		c, taken := m.all.ids[w]
		if !taken || c == mine {
			m.all.ids[w] = mine
			break
		}
		if holder == "" {
			holder = c.instance
		}
		r.VRID = r.VRID%255 + 1
	}
	return holder
}
