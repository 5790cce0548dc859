package keeper

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/vrrp"
)

// Order is all that a keeper is to do. It is whole: what an order does not name, stops.
type Order struct {
	Groups []Group `json:"groups,omitempty"`
	// Members are the addresses of the other directors, of all their interfaces.
	Members []netip.Addr `json:"members,omitempty"`
	// Apart says that control and that of another director have not reached each other lately: that one may claim
	// without having asked.
	Apart bool `json:"apart,omitempty"`
	// Quiet are the addresses of virtual services: a flow to them that the kernel does not know is not reset. Control sees
	// to that too, but does not while it is away.
	Quiet []netip.AddrPort `json:"quiet,omitempty"`
	// AnnounceRate is how many announcements a second leave each interface at most, and AnnounceBurst how
	// many leave it at once; 0 for 2000 and 500.
	AnnounceRate  int `json:"announce_rate,omitempty"`
	AnnounceBurst int `json:"announce_burst,omitempty"`
}

// Group is a sync group, or one router that is in none.
type Group struct {
	Name string `json:"name"`
	// Epoch is shown again in the status. A new epoch or priority ends what was claimed before.
	Epoch    uint64 `json:"epoch"`
	Priority uint8  `json:"priority"`
	// Preempt allows to take from foreign routers of lower priority, never from members, after they were
	// followed for PreemptDelay.
	Preempt      bool          `json:"preempt,omitempty"`
	PreemptDelay time.Duration `json:"preempt_delay,omitempty"`
	// Blocked says why the group must not be Active here, or is empty. It is a fault of all its routers.
	Blocked string `json:"blocked,omitempty"`
	// Yield says why an Active group must say goodbye once, when this comes, or is empty. It may become Active
	// again as any Backup may.
	Yield   string   `json:"yield,omitempty"`
	Routers []Router `json:"routers"`
}

// Router is one virtual router. Interface, VRID and address family are what it is; all else may
// change while it runs, with no change of state.
//
// One that is Active here and is named in another group of the next order keeps its addresses. If that
// group is Active here, or is new and hears no better router, nothing is interrupted. Else the router
// is Backup with the rest of its new group, but holds its addresses until it hears their new owner, or
// for one Active_Down_Interval, after which it takes them again. A router that comes to an Active group
// while another one is heard to own it is waited for, and the rest of the group goes on. One that
// differs from an Active router that is gone by its VRID alone takes its place at once.
type Router struct {
	Name      string `json:"name"`
	VRID      uint8  `json:"vrid"`
	Interface string `json:"interface"`
	// Addresses are advertised, in this order; they are of one family.
	Addresses []netip.Prefix `json:"addresses"`
	// Excluded are kept with the others but not advertised. They may be of both families.
	Excluded []netip.Prefix `json:"excluded,omitempty"`
	Interval time.Duration  `json:"interval"`
	// Checksum is "pseudo" or empty for what keepalived and FRR send, "plain" for RFC 9568 and Cisco.
	Checksum string `json:"checksum,omitempty"`
	// Version is 2 or 3; 0 is 3.
	Version uint8 `json:"version,omitempty"`
	// Unicast sends to the neighbors, and to those members that have an address in a subnet of the
	// interface, each by itself, and hears nobody else.
	Unicast   bool       `json:"unicast,omitempty"`
	Neighbors []Neighbor `json:"neighbors,omitempty"`
	Auth      *Auth      `json:"auth,omitempty"`
	// Enforce believes members and neighbors alone, and who signs.
	Enforce bool `json:"enforce,omitempty"`
	// StrictAddresses believes no version 2 advert with another list of addresses.
	StrictAddresses bool `json:"strict_addresses,omitempty"`
	// Routes and Rules are on the host while the addresses are: they come after them and go before them.
	Routes []address.Route `json:"routes,omitempty"`
	Rules  []address.Rule  `json:"rules,omitempty"`
	// VirtualMAC has the addresses on an interface of their own, with the VRRP MAC address.
	VirtualMAC bool `json:"virtual_mac,omitempty"`
	// Refuse has the host take no packets for itself that come to the addresses, as without Accept_Mode. It
	// answers for them all the same.
	Refuse bool `json:"refuse,omitempty"`
	// Refresh is the time between announcements when nothing has happened: a minute if it is not there,
	// 0 for none.
	Refresh *time.Duration `json:"refresh,omitempty"`
}

// link is where a router speaks: one socket serves all routers of a link.
type link struct {
	Interface string
	V6        bool
}

// identity is what makes a router the same one across orders.
type identity struct {
	link
	vrid uint8
}

func (id identity) String() string {
	family := 4
	if id.V6 {
		family = 6
	}
	return fmt.Sprintf("%s/%d/ipv%d", id.Interface, id.vrid, family)
}

func (r Router) identity() identity {
	return identity{link{r.Interface, r.Addresses[0].Addr().Is6()}, r.VRID}
}

func (r Router) advertised() []netip.Addr {
	out := make([]netip.Addr, len(r.Addresses))
	for i, p := range r.Addresses {
		out[i] = p.Addr()
	}
	return out
}

// Kept returns all addresses that are on this host while the router is Active here, where they are.
func (r Router) Kept() []address.Address {
	iface := r.Interface
	if r.VirtualMAC {
		iface = r.virtual().Name()
	}
	out := make([]address.Address, 0, len(r.Addresses)+len(r.Excluded))
	for _, p := range slices.Concat(r.Addresses, r.Excluded) {
		out = append(out, address.Address{Interface: iface, Prefix: p})
	}
	return out
}

func (r Router) paths() address.Paths { return address.Paths{Routes: r.Routes, Rules: r.Rules} }

// virtual is the interface that the addresses are on, where they have a virtual MAC.
func (r Router) virtual() address.VirtualMAC {
	return address.VirtualMAC{Parent: r.Interface, VRID: r.VRID, V6: r.identity().V6}
}

func (r Router) refresh() time.Duration {
	if r.Refresh == nil {
		return refresh
	}
	return *r.Refresh
}

// same reports whether the host has to do nothing to get from one to the other.
func (r Router) same(other Router) bool {
	return slices.Equal(r.Kept(), other.Kept()) && r.Interval == other.Interval && r.refresh() == other.refresh() &&
		slices.Equal(r.Routes, other.Routes) && slices.Equal(r.Rules, other.Rules)
}

// lifetime is how long the kernel keeps an address that nobody renews.
func (r Router) lifetime() time.Duration { return Lifetime(r.Interval) }

// Lifetime returns for how long the kernel keeps the addresses of a router with an advertisement interval,
// if nobody renews them.
func Lifetime(interval time.Duration) time.Duration {
	return address.Lifetime(max(3*interval, 2*time.Second))
}

// Shortest is the shortest lifetime that the kernel can give to an address: that of the addresses of a router that has
// yielded, which are to go a moment later.
const Shortest = time.Second

// Renewal returns how long before the last advert that left the addresses of an Active router were renewed last, at
// most: those of a keeper that is dead or frozen serve for a lifetime less that after its last advert, and rarely
// for longer than a lifetime.
func Renewal(interval time.Duration) time.Duration {
	if interval >= renewEvery {
		return 2*renewLead + renewGrid
	}
	return renewEvery + renewGrid
}

const (
	renewEvery = 500 * time.Millisecond // addresses are renewed, or with each advert where those are rarer
	renewLead  = 50 * time.Millisecond  // before the advert: so that the last one tells others when the addresses end
	renewGrid  = 50 * time.Millisecond  // many routers are renewed together
)

func (r Router) checksum() vrrp.Checksum {
	if r.Checksum == "plain" {
		return vrrp.Plain
	}
	return vrrp.Pseudo
}

// Validate reports all that is wrong with an order.
func (o Order) Validate() error {
	var errs []error
	names, routers := map[string]bool{}, map[identity]string{}
	if o.AnnounceRate < 0 || o.AnnounceBurst < 0 {
		errs = append(errs, errors.New("the rate of announcements is negative"))
	}
	for _, g := range o.Groups {
		switch {
		case g.Name == "":
			errs = append(errs, errors.New("a group has no name"))
		case names[g.Name]:
			errs = append(errs, fmt.Errorf("group %q is there twice", g.Name))
		case g.Priority == 0:
			errs = append(errs, fmt.Errorf("group %q: priority 0 is a goodbye, want 1 to 255", g.Name))
		case len(g.Routers) == 0:
			errs = append(errs, fmt.Errorf("group %q has no router", g.Name))
		}
		names[g.Name] = true
		for _, r := range g.Routers {
			if err := r.validate(); err != nil {
				errs = append(errs, fmt.Errorf("group %q: router %q: %w", g.Name, r.Name, err))
				continue
			}
			if other, ok := routers[r.identity()]; ok {
				errs = append(errs, fmt.Errorf("group %q: router %q is %v, as is router %q", g.Name, r.Name, r.identity(), other))
			}
			routers[r.identity()] = r.Name
		}
	}
	return errors.Join(errs...)
}

func (r Router) validate() error {
	switch {
	case r.VRID == 0:
		return errors.New("VRID 0 is not valid")
	case r.Interface == "":
		return errors.New("no interface")
	case len(r.Addresses) == 0 || len(r.Addresses) > 255:
		return fmt.Errorf("%d addresses, want 1 to 255", len(r.Addresses))
	case r.Version != 2 && (r.Interval < 10*time.Millisecond || r.Interval > vrrp.MaxInterval || r.Interval%(10*time.Millisecond) != 0):
		return fmt.Errorf("interval %v is not in steps of 10 ms from 10 ms to %v", r.Interval, vrrp.MaxInterval)
	case r.VirtualMAC && r.Unicast:
		return errors.New("a virtual MAC address and unicast: adverts from a MAC address of their own go to the multicast group alone")
	case r.Checksum != "" && r.Checksum != "pseudo" && r.Checksum != "plain":
		return fmt.Errorf("checksum %q, want pseudo or plain", r.Checksum)
	case r.refresh() != 0 && r.refresh() < time.Second:
		return fmt.Errorf("refresh %v is not 0 or a second at least", r.refresh())
	}
	seen := map[netip.Addr]bool{}
	for i, p := range slices.Concat(r.Addresses, r.Excluded) {
		switch {
		case !p.IsValid():
			return errors.New("an address is not valid")
		case i < len(r.Addresses) && p.Addr().Is6() != r.Addresses[0].Addr().Is6():
			return fmt.Errorf("address %v is not of the family of %v", p, r.Addresses[0])
		case seen[p.Addr()]:
			return fmt.Errorf("address %v is there twice", p.Addr())
		}
		seen[p.Addr()] = true
	}
	p, err := r.profile(nil)
	if err != nil {
		return err
	}
	if r.Unicast && len(p.Neighbors) == 0 { // members may be on the link
		p.Unicast = false
	}
	if err := p.Validate(r.Interval, r.identity().V6); err != nil {
		return err
	}
	return r.paths().Validate()
}
