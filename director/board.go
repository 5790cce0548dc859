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

// touched collects the services that may have changed since they were looked at last, so that a changed weight costs as much
// among a hundred thousand servers as among three.
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

// take returns them, and forgets them. It must be called before the state is read, so that no change is missed in between.
func (t *touched) take() (names []string, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names, all = slices.Sorted(maps.Keys(t.names)), t.every
	t.names, t.every = nil, false
	return names, all
}

// board remembers what was derived from all services, so that later passes need only look at those that have changed. It belongs
// to one goroutine.
type board struct {
	keys  map[string]ipvs.Key // of all services, by name; nil before the first pass
	quiet []netip.AddrPort    // see [ipvs.QuietAddresses]
	own   []netip.Addr        // this host's addresses: a service with a real server there is not quiet
}

// update returns the table of the named services, and the keys that these have or had. If names is nil, it returns the table of
// all services, and no keys.
func (b *board) update(cfg fsm.Config, names []string, own []netip.Addr, pool func(fsm.Service) []Real) (ipvs.Table, []ipvs.Key) {
	if names == nil {
		b.keys = make(map[string]ipvs.Key, cfg.Services.Len())
		for name, svc := range cfg.Services.All() {
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
		if svc, ok := cfg.Services.Lookup(name); ok {
			b.keys[name] = Key(svc)
			keys = append(keys, b.keys[name])
		}
	}
	some := Table(part(cfg, names), pool)
	b.hush(some, keys, own)
	return some, keys
}

// hush brings the quiet addresses up to date with a whole table, or with the part of one that keys name.
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

// due returns the services that have to be looked at, or nil for all of them: before the first pass, when anything may have
// changed, and when this host's own addresses have.
func (b *board) due(names []string, all bool, own []netip.Addr) []string {
	if all || b.keys == nil || !slices.Equal(own, b.own) {
		return nil
	}
	return append([]string{}, names...) // not nil
}

// joined returns the features that services of either configuration need, and those that routers of the newer one do.
func joined(old, next host.Features) host.Features {
	next.IPv6, next.NAT, next.Tunnel = next.IPv6 || old.IPv6, next.NAT || old.NAT, next.Tunnel || old.Tunnel
	next.Schedulers = slices.Compact(slices.Sorted(slices.Values(slices.Concat(old.Schedulers, next.Schedulers))))
	return next
}

// part returns a configuration with only the named services in it, or with all if names is nil.
func part(cfg fsm.Config, names []string) fsm.Config {
	if names == nil {
		return cfg
	}
	cfg.Services = cfg.Services.Only(slices.Values(names))
	return cfg
}
