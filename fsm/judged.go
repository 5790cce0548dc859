package fsm

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// JudgedAfter returns what is agreed about real servers once a change is applied. What was agreed about servers of changed
// services goes if they go, or if the checks ask something else then. A service that only has another name then takes it
// along from [LevelKeys] on: else all its servers were out until they are judged anew.
func (s State) JudgedAfter(d Delta) Verdicts {
	gone, come := map[ServerKey]bool{}, map[ServerKey]Verdict{}
	for name, is := range d.Services {
		was := s.Config.Services.Of(name)
		stays := askedTheSame(was, is)
		for _, server := range was.Servers {
			key := ServerKey{name, server.Address}
			if _, known := s.Verdicts.Of(key); known && !stays[server.Address] {
				gone[key] = true
			}
		}
	}
	for name, former := range s.formerNames(d) {
		for server := range askedTheSame(s.Config.Services.Of(former), d.Services[name]) {
			if verdict, known := s.Verdicts.Of(ServerKey{former, server}); known {
				come[ServerKey{name, server}] = verdict
			}
		}
	}
	return s.Verdicts.without(maps.Keys(gone)).with(maps.Keys(come), come)
}

// askedTheSame returns the servers of a service as it is if its checks ask of them what they did. Nil is one that is not
// there any more.
func askedTheSame(was Service, is *Service) map[netip.AddrPort]bool {
	if is == nil || !reflect.DeepEqual(questions(was.Checks), questions(is.Checks)) {
		return nil
	}
	servers := make(map[netip.AddrPort]bool, len(is.Servers))
	for _, server := range is.Servers {
		servers[server.Address] = true
	}
	return servers
}

// formerNames returns, by the names of services that a change adds, those of the services that had their addresses.
func (s State) formerNames(d Delta) map[string]string {
	if s.Level < LevelKeys {
		return nil
	}
	type frontend struct {
		address  netip.AddrPort
		protocol Protocol
		mark     uint32
		ipv6     bool
	}
	of := func(s Service) frontend { return frontend{s.Address, s.Protocol, s.Mark, s.IPv6} }
	had := map[frontend]string{}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(d.Services))) { // the first of them, should two have one
		if was, ok := s.Config.Services.Lookup(name); ok {
			had[of(was)] = name
		}
	}
	former := map[string]string{}
	for name, is := range d.Services {
		if is == nil || s.Config.Services.Has(name) {
			continue
		}
		if was, ok := had[of(*is)]; ok {
			former[name] = was
		}
	}
	return former
}
