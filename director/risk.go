package director

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// losses are what a change of the configuration takes from established connections, and why.
type losses struct {
	reals     map[ipvs.Key]map[netip.AddrPort]string // real servers, of services of this kernel
	addresses map[netip.Addr]string                  // virtual addresses, to which packets come no more
}

// lossesOf are the losses by a change of a state, which has the verdicts of after it, where one table becomes another.
func lossesOf(have, want ipvs.Table, judged *fsm.State, change fsm.Delta) losses {
	return losses{lostReals(have, want, judged, change), lostAddresses(judged.Config, change)}
}

func (l losses) none() bool { return len(l.reals)+len(l.addresses) == 0 }

// count counts the established connections that end, by why. The kernel forwards packets of other protocols than TCP without
// an end: they count while their entries are there.
func (l losses) count(conns []ipvs.Conn) map[string]int {
	n := map[string]int{}
	for _, c := range conns {
		if c.Template() || c.Protocol == ipvs.TCP && !c.Established() {
			continue
		}
		if why := l.why(c); why != "" {
			n[why]++
		}
	}
	return n
}

// why says why a connection ends, or is empty. Where there are two reasons it is the server's.
func (l losses) why(c ipvs.Conn) string {
	keys := []ipvs.Key{
		{Protocol: c.Protocol, Address: c.Virtual}, {Protocol: c.Protocol, Address: netip.AddrPortFrom(c.Virtual.Addr(), 0)}, // one of all ports
	}
	if c.Mark != 0 {
		keys = []ipvs.Key{{Mark: c.Mark, IPv6: c.Virtual.Addr().Is6()}}
	}
	for _, key := range keys {
		reals := l.reals[key.Normalize()] // those of a service by mark or without a port may have none either
		if why := cmp.Or(reals[c.Real], reals[netip.AddrPortFrom(c.Real.Addr(), 0)]); why != "" {
			return why
		}
	}
	return l.addresses[c.Virtual.Addr()]
}

// lostReals are the real servers that go, of a table that is to become another.
func lostReals(have, want ipvs.Table, judged *fsm.State, change fsm.Delta) map[ipvs.Key]map[netip.AddrPort]string {
	before := map[ipvs.Key]fsm.Service{}
	for _, svc := range change.Part(judged.Config).Services.All() {
		before[Key(svc)] = svc
	}
	after := map[ipvs.Key]fsm.Service{}
	for _, svc := range change.Puts().Services.All() {
		after[Key(svc)] = svc
	}
	lost := map[ipvs.Key]map[netip.AddrPort]string{}
	for key, entry := range have {
		for real := range entry.Dests {
			if _, stays := want[key].Dests[real]; stays {
				continue
			}
			if lost[key] == nil {
				lost[key] = map[netip.AddrPort]string{}
			}
			was, name := before[key].Name, after[key].Name
			switch is := change.Services[was]; {
			case name != "":
				lost[key][real] = lostReal(after[key], real, judged)
			case is != nil:
				lost[key][real] = fmt.Sprintf("service %s moves from %s to %s", was, key, Key(*is))
			default:
				lost[key][real] = fmt.Sprintf("service %s is removed", was)
			}
		}
	}
	return lost
}

// lostReal says why a real server goes from a service that stays.
func lostReal(svc fsm.Service, real netip.AddrPort, judged *fsm.State) string {
	switch {
	case (svc.Fallback == nil || svc.Fallback.Address != real) && !slices.ContainsFunc(svc.Servers, func(s fsm.Server) bool { return s.Address == real }):
		return fmt.Sprintf("real server %s is removed from service %s", real, svc.Name)
	case judged.Verdict(fsm.ServerKey{Service: svc.Name, Server: real}).Health == fsm.Unknown:
		return fmt.Sprintf("real server %s of service %s takes nothing until its checks have passed", real, svc.Name)
	}
	return fmt.Sprintf("real server %s is taken out of service %s", real, svc.Name)
}

// lostAddresses are the virtual addresses that a change takes from the interfaces where they are. A router that gets another VRID, or
// whose addresses another one on its interface gets, keeps them in place.
func lostAddresses(before fsm.Config, change fsm.Delta) map[netip.Addr]string {
	lost := map[netip.Addr]string{}
	if len(change.Routers) == 0 {
		return lost
	}
	at := map[netip.Addr][]string{}
	for _, r := range change.Apply(before).Routers {
		for _, a := range held(r) {
			at[a] = append(at[a], r.Interface)
		}
	}
	for name, was := range change.Part(before).Routers {
		is := change.Routers[name]
		for _, a := range held(was) {
			switch {
			case slices.Contains(at[a], was.Interface):
			case is != nil && is.Interface != was.Interface && slices.Contains(held(*is), a):
				lost[a] = fmt.Sprintf("router %s moves from interface %s to %s", name, was.Interface, is.Interface)
			case len(at[a]) > 0:
				lost[a] = fmt.Sprintf("%s moves from interface %s to %s", a, was.Interface, slices.Min(at[a]))
			case is == nil:
				lost[a] = fmt.Sprintf("router %s is removed", name)
			default:
				lost[a] = fmt.Sprintf("%s is taken from router %s", a, name)
			}
		}
	}
	return lost
}

// held are the addresses that a router brings to its interface.
func held(r fsm.Router) []netip.Addr {
	var all []netip.Addr
	for _, p := range r.Virtual() {
		all = append(all, p.Addr())
	}
	return all
}
