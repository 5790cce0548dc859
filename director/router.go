package director

import (
	"github.com/quorate/quorate/director/address"
	"github.com/quorate/quorate/director/keeper"
	"github.com/quorate/quorate/fsm"
)

// router is a virtual router as this host's keeper is to run it.
func router(r fsm.Router, self Self, keys fsm.AuthKeys) keeper.Router {
	out := keeper.Router{
		Name: r.Name, VRID: r.VRID, Interface: self.Interface(r.Interface), Addresses: r.Addresses, Excluded: r.Excluded,
		Interval: r.Interval, Version: r.Version, Checksum: string(r.Checksum), VirtualMAC: r.VirtualMAC,
		Refuse:  r.NoAccept && r.AddressOwner != self.Name, // the addresses are the address owner's own
		Unicast: r.Unicast, Enforce: r.KnownOnly, StrictAddresses: r.StrictAddresses,
	}
	for _, p := range r.Peers {
		out.Neighbors = append(out.Neighbors, keeper.Neighbor{Address: p.Address, MinTTL: p.MinTTL})
	}
	if r.Auth != nil {
		out.Auth = &keeper.Auth{Kind: string(r.Auth.Kind), KeyID: r.Auth.KeyID, Key: keys.Key, OtherID: r.Auth.OtherID, OtherKey: keys.Other}
	}
	if r.Refresh != 0 {
		every := max(r.Refresh, 0) // negative is none
		out.Refresh = &every
	}
	for _, x := range r.Routes {
		out.Routes = append(out.Routes, address.Route{
			Destination: x.To, Type: address.RouteType(x.Type), Via: x.Via, Interface: self.named(x.Interface), OnLink: x.OnLink,
			Source: x.Source, Table: x.Table, Metric: x.Metric, MTU: x.MTU,
		})
	}
	for _, x := range r.Rules {
		out.Rules = append(out.Rules, address.Rule{
			Priority: x.Priority, V6: x.IPv6, From: x.From, To: x.To, In: self.named(x.In), Out: self.named(x.Out),
			Mark: x.Mark, Mask: x.Mask, TOS: x.TOS, Type: address.RouteType(x.Type), Table: x.Table,
		})
	}
	return out
}

// named is Interface, and empty for none.
func (s Self) named(logical string) string {
	if logical == "" {
		return ""
	}
	return s.Interface(logical)
}
