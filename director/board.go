package director

import (
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/quorate/quorate/director/host"
	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/fsm"
)

// touched are the services that may be others than when they were looked at last: a changed weight among a hundred thousand
// servers costs as much as among three.
type touched struct {
	mu    sync.Mutex
	every bool            // all of them
	names map[string]bool // else these
}

func (t *touched) all() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.every = true
}

func (t *touched) add(names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.names == nil {
		t.names = map[string]bool{}
	}
	for _, name := range names {
		t.names[name] = true
	}
}

// take returns which they are, and that none are from now on. It is to be called before the state is read.
func (t *touched) take() (names []string, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names, all = slices.Sorted(maps.Keys(t.names)), t.every
	t.names, t.every = nil, false
	return names, all
}

// board is what was made of all services. It is made once, and then only of those that have changed. It is of one goroutine.
type board struct {
	keys  map[string]ipvs.Key // of the services that there are, by name; nil before the first time
	quiet []netip.AddrPort    // see [ipvs.QuietAddresses]
	own   []netip.Addr        // of which the services are not quiet
}

// update makes the table of services: of all of them where names is nil, and returns no keys then; else of the named
// ones, with the keys that they have and had.
func (b *board) update(cfg fsm.Config, names []string, own []netip.Addr, pool func(fsm.Service) []Real) (ipvs.Table, []ipvs.Key) {
	if names == nil {
		b.keys = make(map[string]ipvs.Key, len(cfg.Services))
		for name, svc := range cfg.Services {
			b.keys[name] = Key(svc)
		}
		all := Table(cfg, pool)
		b.hush(all, nil, own)
		return all, nil
	}
	keys := make([]ipvs.Key, 0, len(names)) // not nil
	for _, name := range names {
		if key, ok := b.keys[name]; ok {
			keys = append(keys, key)
		}
		delete(b.keys, name)
		if svc, ok := cfg.Services[name]; ok {
			b.keys[name] = Key(svc)
			keys = append(keys, b.keys[name])
		}
	}
	some := Table(part(cfg, names), pool)
	b.hush(some, keys, own)
	return some, keys
}

// hush keeps the quiet addresses: those of a whole table, or of the part of one that keys name.
func (b *board) hush(t ipvs.Table, keys []ipvs.Key, own []netip.Addr) {
	quiet := ipvs.QuietAddresses(t, func(a netip.Addr) bool { return slices.Contains(own, a) })
	b.own = own
	if keys == nil {
		b.quiet = quiet
		return
	}
	has := func(in []netip.AddrPort, key ipvs.Key) bool {
		_, ok := slices.BinarySearchFunc(in, key.Address, netip.AddrPort.Compare)
		return ok
	}
	changed := map[netip.AddrPort]bool{}
	for _, key := range keys {
		if key.Protocol == ipvs.TCP && has(b.quiet, key) != has(quiet, key) {
			changed[key.Address] = has(quiet, key)
		}
	}
	if len(changed) == 0 {
		return
	}
	next := slices.DeleteFunc(slices.Clone(b.quiet), func(a netip.AddrPort) bool { _, ok := changed[a]; return ok })
	for a, is := range changed {
		if is {
			next = append(next, a)
		}
	}
	slices.SortFunc(next, netip.AddrPort.Compare)
	b.quiet = next
}

// due returns the services that are to be looked at, all (nil) where that is not known of each or depends on something
// else that has changed.
func (b *board) due(names []string, all bool, own []netip.Addr) []string {
	if all || b.keys == nil || !slices.Equal(own, b.own) {
		return nil
	}
	return append([]string{}, names...) // not nil
}

// joined are the features that any of two configurations has of services; those of routers are the newer one's.
func joined(old, next host.Features) host.Features {
	next.IPv6, next.NAT, next.Tunnel = next.IPv6 || old.IPv6, next.NAT || old.NAT, next.Tunnel || old.Tunnel
	next.Schedulers = slices.Compact(slices.Sorted(slices.Values(slices.Concat(old.Schedulers, next.Schedulers))))
	return next
}

// part is a configuration with none but the named services; with all of them where names is nil.
func part(cfg fsm.Config, names []string) fsm.Config {
	if names == nil {
		return cfg
	}
	services := make(map[string]fsm.Service, len(names))
	for _, name := range names {
		if svc, ok := cfg.Services[name]; ok {
			services[name] = svc
		}
	}
	cfg.Services = services
	return cfg
}
