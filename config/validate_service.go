package config

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/quorate/quorate/fsm"
)

// serviceKey is by what the kernel knows a service.
type serviceKey struct {
	address  netip.AddrPort
	protocol fsm.Protocol
	mark     uint32
	ipv6     bool
}

// services checks each service, and what no two may share.
func (v *validator) services(c fsm.Config) {
	held := make(map[netip.Addr]bool)
	for _, r := range c.Routers {
		for _, p := range r.Virtual() {
			held[p.Addr()] = true
		}
	}
	keys := make(map[serviceKey]string)
	for name, s := range c.Services.All() {
		o := v.thing("services", "service", name)
		o.service(name, s)
		key, field := serviceKey{address: s.Address, protocol: s.Protocol}, ".address"
		if s.Mark != 0 {
			key, field = serviceKey{mark: s.Mark, ipv6: s.IPv6}, ".mark"
		}
		if other, ok := keys[key]; ok && (s.Mark != 0 || s.Address.IsValid()) {
			o.clash(field, other, "", "%s is another service's", key)
			continue
		}
		keys[key] = o.path + field
		if s.Address.IsValid() && !held[s.Address.Addr()] {
			o.lacks(".address", "add it to a router's addresses, unless it comes to the directors in another way", "no router holds %s", s.Address.Addr())
		}
	}
}

// String returns the key in the form that ipvsadm users know.
func (k serviceKey) String() string {
	if k.mark != 0 {
		return fmt.Sprintf("mark %d", k.mark)
	}
	return fmt.Sprintf("%s %s", k.protocol, formatEndpoint(k.address))
}

// ipv6 reports the family of a service's packets.
func ipv6(s fsm.Service) bool {
	if s.Address.IsValid() {
		return s.Address.Addr().Is6()
	}
	return s.IPv6
}

// service checks one service by itself.
func (o object) service(name string, s fsm.Service) {
	o.named(name, s.Name)
	o.identity(s)
	o.among("scheduler", s.Scheduler, fsm.Schedulers)
	o.among("forward", string(s.Forward), forwards)
	o.among("agreement", string(s.Agreement), agreements)
	o.persistence(s)
	for i, c := range s.Checks {
		child := o.part("checks", i, fmt.Sprintf("check %q", c.Kind))
		child.check(s, c)
	}
	seen := make(map[netip.AddrPort]string)
	for i, server := range s.Servers {
		child := o.part("servers", i, "server "+formatEndpoint(server.Address))
		child.server(s, server)
		if other, ok := seen[server.Address]; ok && server.Address.IsValid() {
			child.clash("", other, "", "is there twice")
			continue
		}
		seen[server.Address] = child.path
	}
	if s.Fallback != nil {
		child := object{o.validator, o.path + ".fallback", o.what + ", fallback " + formatEndpoint(s.Fallback.Address)}
		child.fallback(s, seen)
	} else if len(s.Servers) == 0 {
		o.doubt(".servers", `add server "ADDRESS:PORT" {}`, "has no servers")
	}
}

// identity checks by what a service is known.
func (o object) identity(s fsm.Service) {
	address := s.Address != netip.AddrPort{}
	switch {
	case !address && s.Mark == 0:
		o.wrong(".address", `add address = "192.168.1.1:80", or mark = 1`, "has neither an address nor a mark")
	case address && s.Mark != 0:
		o.clash(".mark", o.path+".address", "leave one of them out", "has an address and a mark")
	case address && !s.Address.IsValid():
		o.wrong(".address", "", "the address is none")
	case address:
		if text, hint := checkAddr(s.Address.Addr()); text != "" {
			o.wrong(".address", hint, "%s", text)
		}
		o.among("protocol", string(s.Protocol), protocols)
		if s.IPv6 {
			o.wrong(".ipv6", "the address says the family", "ipv6 is for services by mark")
		}
	default:
		if s.Protocol != "" {
			o.wrong(".protocol", "the rule that sets the mark chooses the protocol", "protocol is for services by address")
		}
	}
}

// persistence checks timeout and mask, and what needs them.
func (o object) persistence(s fsm.Service) {
	if s.Persistence != 0 {
		o.lasts("persistence", s.Persistence, persistPeriod)
	}
	if s.Address.IsValid() && s.Address.Port() == 0 && s.Persistence == 0 && s.Mark == 0 {
		o.wrong(".address", `add a port, or persistence = "300s"`, "without a port the service takes every port, and that needs persistence")
	}
	if s.PersistenceMask == 0 {
		return
	}
	mask := maskSpanIPv4
	if ipv6(s) {
		mask = maskSpanIPv6
	}
	o.within("persistence_mask", int64(s.PersistenceMask), mask)
	if s.Persistence == 0 {
		o.wrong(".persistence_mask", `add persistence = "300s"`, "persistence_mask has no effect without persistence")
	}
}

// server checks one real server against its service.
func (o object) server(s fsm.Service, server fsm.Server) {
	o.within("weight", int64(server.Weight), weightSpan)
	forward := s.Forward
	if server.Forward != "" {
		o.among("forward", string(server.Forward), forwards)
		forward = server.Forward
	}
	if server.Address == (netip.AddrPort{}) || !server.Address.IsValid() {
		o.wrong(".address", "", "the address is none")
		return
	}
	addr, port := server.Address.Addr(), server.Address.Port()
	if text, hint := checkAddr(addr); text != "" {
		o.wrong(".address", hint, "%s", text)
		return
	}
	if !s.Address.IsValid() && s.Mark == 0 {
		return // which family and port is not known
	}
	if addr.Is6() != ipv6(s) { // IPVS could by a tunnel, but not where connections are synchronised
		o.wrong(".address", "make a service of the other family", "is not of the service's address family")
	}
	switch {
	case portless(s) && port != 0:
		reason := "a service without a port keeps the client's"
		if s.Mark != 0 {
			reason = "a service by mark keeps the client's"
		}
		o.wrong(".address", "leave the port out", "has a port; %s", reason)
	case portless(s):
	case port == 0:
		o.wrong(".address", "", "has no port")
	case forward != fsm.NAT && port != s.Address.Port():
		o.wrong(".address", fmt.Sprintf("leave the port out, or write %d", s.Address.Port()), "port %d is not the service's, and %s does not change ports", port, forward)
	case server.Address == s.Address:
		o.wrong(".address", "", "is the service itself")
	}
}

// fallback checks the fallback: a server that is not checked and has no one to share with.
func (o object) fallback(s fsm.Service, servers map[netip.AddrPort]string) {
	o.server(s, *s.Fallback)
	if s.Fallback.Weight == 0 {
		o.wrong(".weight", "leave it out", "weight 0 would leave it without traffic")
	}
	if s.Fallback.Inhibit {
		o.wrong(".inhibit", "leave it out", "inhibit means nothing to a fallback, which is not checked")
	}
	if _, ok := servers[s.Fallback.Address]; ok && s.Fallback.Address.IsValid() {
		o.doubt(".address", "", "is one of the servers too")
	}
}

// check checks one check.
func (o object) check(s fsm.Service, c fsm.Check) {
	o.lasts("interval", c.Interval, checkPeriod)
	o.lasts("timeout", c.Timeout, timeoutPeriod)
	if c.Timeout > c.Interval && c.Interval >= checkPeriod.min && c.Timeout <= timeoutPeriod.max {
		o.clash(".timeout", o.path+".interval", fmt.Sprintf("make the timeout %s at most, or the interval %s at least", formatDuration(c.Interval), formatDuration(c.Timeout)),
			"timeout %s is longer than interval %s", formatDuration(c.Timeout), formatDuration(c.Interval))
	}
	o.within("rise", int64(c.Rise), countSpan)
	o.within("fall", int64(c.Fall), countSpan)
	o.checkFields(c)
	if c.Kind != fsm.CheckScript && c.Port == 0 && portless(s) && (s.Mark != 0 || s.Address.IsValid()) {
		o.wrong(".port", "say which one to probe, as in port = 80", "port is missing: the service's servers have none")
	}
	if c.Interval%time.Millisecond == 0 && c.Kind == fsm.CheckScript && c.Interval < time.Second && c.Interval >= checkPeriod.min {
		o.doubt(".interval", "a second is usual", "a script for each server every %s, on each director", formatDuration(c.Interval))
	}
}
