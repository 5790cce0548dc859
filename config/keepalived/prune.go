package keepalived

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

// part is where in a model a problem is: a block at the top level, and the list in it.
var part = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(routers|sync_groups|tracks|services)\["([^"]+)"\](?:\.([a-z_.]+?))?(?:\[(\d+)\])?(?:\.[a-z_]+)?(?:\[\d+\])?$`)
})

// kinds are the blocks of the model's maps.
var kinds = map[string]config.Kind{
	"routers": config.KindRouter, "sync_groups": config.KindSyncGroup, "tracks": config.KindTrack, "services": config.KindService,
}

// prune takes out of the model what a cluster file cannot say, so that what is written is valid: the smallest
// part that has the problem, and tells why.
func (p *pair) prune() {
	for range maxPrunes {
		errs := config.Validate(config.WithDefaults(p.base.config)).Errors()
		if len(errs) == 0 {
			return
		}
		done := make(map[string]bool)
		for _, e := range slices.Backward(errs) {
			m := part().FindStringSubmatch(e.Path)
			if m == nil || done[m[1]+m[2]+m[3]] || p.base.places[thing{kinds[m[1]], m[2]}] == (Place{}) {
				continue
			}
			done[m[1]+m[2]+m[3]] = true // the numbers of the others are not the same any more
			t := thing{kinds[m[1]], m[2]}
			index := -1
			if m[4] != "" {
				index, _ = strconv.Atoi(m[4])
			}
			at, keyword := p.part(t, m[3], index)
			p.notes.Dropped(at, keyword, "%s", e.Text)
			p.base.remove(t, m[3], index)
		}
		if len(done) == 0 {
			break
		}
	}
	for _, t := range slices.Clone(p.base.order) { // what is not understood is not written
		if at, ok := p.base.places[t]; ok { // what went with another is told of there
			p.notes.Dropped(at, string(t.kind), "%s contradicts something that could not be found", t.name)
			p.base.drop(t)
		}
	}
}

// part is where the file says a part of a block, and what it is there: the block itself where that is not known.
func (p *pair) part(t thing, field string, index int) (Place, string) {
	s := p.base.config.Services.Of(t.name)
	for _, m := range p.models {
		for _, o := range m.origins {
			if o.name != t.name || t.kind != config.KindService {
				continue
			}
			if at, keyword, ok := o.part(s, field, index); ok {
				return at, keyword
			}
		}
	}
	return p.base.places[t], string(t.kind)
}

// maxPrunes bounds the rounds; each takes at least one thing out.
const maxPrunes = 100_000

// remove takes a part out of the model, or the whole block where no smaller part can go.
func (m *model) remove(t thing, field string, index int) {
	ok := false
	switch t.kind {
	case config.KindRouter:
		r := m.config.Routers[t.name]
		ok = cutRouter(&r, field, index)
		m.config.Routers[t.name] = r
	case config.KindSyncGroup:
		g := m.config.SyncGroups[t.name]
		switch field {
		case "routers":
			ok = cut(&g.Routers, index)
		default:
			ok = cutNeeds(&g.Needs, &g.Placement, field, index)
		}
		m.config.SyncGroups[t.name] = g
	case config.KindService:
		s := m.config.Services.Of(t.name)
		ok = cutService(&s, field, index)
		m.config.Services = m.config.Services.With(t.name, s)
	}
	if !ok {
		m.drop(t)
	}
}

// cut takes one of a list.
func cut[T any](all *[]T, index int) bool {
	if index < 0 || index >= len(*all) {
		return false
	}
	*all = slices.Delete(slices.Clone(*all), index, index+1)
	return true
}

// unset takes a value out, and reports whether there was one.
func unset[T comparable](value *T) bool {
	var none T
	had := *value != none
	*value = none
	return had
}

func cutRouter(r *fsm.Router, field string, index int) bool {
	switch field {
	case "addresses":
		return len(r.Addresses) > 1 && cut(&r.Addresses, index)
	case "excluded":
		return cut(&r.Excluded, index)
	case "peers":
		return cut(&r.Peers, index)
	case "routes":
		return cut(&r.Routes, index)
	case "rules":
		return cut(&r.Rules, index)
	case "auth", "auth.key", "auth.other_key", "auth.other_key_id":
		return unset(&r.Auth)
	case "refresh":
		return unset(&r.Refresh)
	case "preempt_delay":
		return unset(&r.PreemptDelay)
	}
	return cutNeeds(&r.Needs, &r.Placement, field, index)
}

func cutNeeds(n *fsm.Needs, p *fsm.Placement, field string, index int) bool {
	switch field {
	case "needs.uses":
		return cut(&n.Uses, index)
	case "needs.hooks":
		return cut(&n.Hooks, index)
	case "placement", "placement.hold":
		had := p.Policy != "" || p.Hold != 0
		*p = fsm.Placement{}
		return had
	}
	return false
}

func cutService(s *fsm.Service, field string, index int) bool {
	switch field {
	case "servers":
		return cut(&s.Servers, index) && len(s.Servers) > 0
	case "checks":
		return cut(&s.Checks, index)
	case "fallback", "fallback.address":
		return unset(&s.Fallback)
	case "persistence_mask":
		return unset(&s.PersistenceMask)
	case "persistence":
		s.PersistenceMask = 0
		return unset(&s.Persistence)
	}
	return false
}

// drop takes out a whole block, and what refers to it.
func (m *model) drop(t thing) {
	delete(m.places, t)
	m.order = slices.DeleteFunc(m.order, func(o thing) bool { return o == t })
	switch t.kind {
	case config.KindService:
		m.config.Services = m.config.Services.Without(t.name)
	case config.KindSyncGroup:
		delete(m.config.SyncGroups, t.name)
	case config.KindTrack:
		delete(m.config.Tracks, t.name)
		uses := func(u fsm.Use) bool { return u.Track == t.name }
		for name, r := range m.config.Routers {
			r.Needs.Uses = slices.DeleteFunc(slices.Clone(r.Needs.Uses), uses)
			m.config.Routers[name] = r
		}
		for name, g := range m.config.SyncGroups {
			g.Needs.Uses = slices.DeleteFunc(slices.Clone(g.Needs.Uses), uses)
			m.config.SyncGroups[name] = g
		}
	case config.KindRouter:
		delete(m.config.Routers, t.name)
		for _, name := range slices.Sorted(maps.Keys(m.config.SyncGroups)) {
			g := m.config.SyncGroups[name]
			g.Routers = slices.DeleteFunc(slices.Clone(g.Routers), func(r string) bool { return r == t.name })
			m.config.SyncGroups[name] = g
			if len(g.Routers) == 0 {
				m.drop(thing{config.KindSyncGroup, name})
			}
		}
	}
}
