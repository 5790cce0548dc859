package fsm

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// UpBefore is why a server is up whose service's checks have come to ask something else, until they have said more. It is in
// the state, and who agrees on verdicts goes by it: never to be changed.
const UpBefore = "up when its checks were changed"

// JudgedAfter returns what is agreed about real servers once a change is applied. What was agreed about servers of changed
// services goes if they go. A service that only has another name then takes it along from [LevelKeys] on: else all its servers
// were out until they are judged anew.
func (s State) JudgedAfter(d Delta) Verdicts {
	gone, come := map[ServerKey]bool{}, map[ServerKey]Verdict{}
	for name, is := range d.Services {
		stays := s.staysAgreed(name, is)
		for _, server := range s.Config.Services.Of(name).Servers {
			key := ServerKey{name, server.Address}
			verdict, known := s.Verdicts.Of(key)
			then, stays := stays[server.Address]
			switch {
			case known && !stays:
				gone[key] = true
			case known && then != verdict:
				come[key] = then
			}
		}
	}
	for name, former := range s.formerNames(d) {
		for server, verdict := range s.staysAgreed(former, d.Services[name]) {
			come[ServerKey{name, server}] = verdict
		}
	}
	return s.Verdicts.without(maps.Keys(gone)).with(maps.Keys(come), come)
}

// staysAgreed returns what is agreed then about the servers of a service that becomes another one; nil is one that is not there
// any more. Where its checks ask something else, what was agreed is forgotten, but that a server is up, from [LevelKeys] on: it
// has connections, and nobody has said that it is down.
func (s State) staysAgreed(former string, is *Service) map[netip.AddrPort]Verdict {
	if is == nil {
		return nil
	}
	asked := reflect.DeepEqual(questions(s.Config.Services.Of(former).Checks), questions(is.Checks))
	stays := make(map[netip.AddrPort]Verdict, len(is.Servers))
	for _, server := range is.Servers {
		verdict, known := s.Verdicts.Of(ServerKey{former, server.Address})
		switch {
		case known && asked:
			stays[server.Address] = verdict
		case known && verdict.Health == Up && s.Level >= LevelKeys:
			stays[server.Address] = Verdict{Up, UpBefore}
		}
	}
	return stays
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
