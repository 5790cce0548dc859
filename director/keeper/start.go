package keeper

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/director/address"
)

// take takes up what the record and the kernel say, before the loop runs.
func (k *keeper) take() error {
	rec, err := k.record.past()
	if err != nil { // a keeper without a past is better than none
		k.log.Error("start without the record", "err", err)
		k.record.complain(err)
	}
	k.order = rec.Order
	k.need()
	first, err := k.first()
	if err != nil {
		return err
	}
	now := time.Now()
	k.learn(now, first)
	var strays []address.Address
	going := map[string]bool{}
	for _, g := range rec.Order.Groups {
		found, whole := g.found(first.present)
		switch {
		case rec.Active[g.Name] && whole && k.fit(g):
			going[g.Name] = true
		default:
			strays = append(strays, found...)
		}
	}
	if len(strays) > 0 {
		k.log.Info("removing addresses of groups that did not end well", "addresses", strays)
		if err := k.cfg.Host.Remove(strays); err != nil {
			k.log.Error("remove addresses", "err", err)
		}
	}
	k.sweepPaths(rec.Order, going)
	k.worker.beat.store(now)
	k.set(now, rec.Order, going)
	return nil
}

// fit reports whether no link of a group has a fault.
func (k *keeper) fit(g Group) bool {
	return !slices.ContainsFunc(g.Routers, func(r Router) bool {
		f := k.links[r.identity().link]
		return f.cut || k.fault(g, r, f) != ""
	})
}

// sweepPaths removes the routes and rules that an earlier run left, and that no group has that goes on.
// Some have no lifetime in the kernel.
func (k *keeper) sweepPaths(o Order, going map[string]bool) {
	var kept address.Paths
	for _, g := range o.Groups {
		if !going[g.Name] {
			continue
		}
		for _, r := range g.Routers {
			kept.Routes, kept.Rules = append(kept.Routes, r.Routes...), append(kept.Rules, r.Rules...)
		}
	}
	have, err := k.cfg.Host.Paths()
	strays := have.Beyond(kept)
	if err == nil && !strays.Empty() {
		k.log.Info("removing routes and rules of groups that did not end well", "routes", strays.Routes, "rules", strays.Rules)
		err = k.cfg.Host.RemovePaths(strays)
	}
	if err != nil {
		k.log.Error("remove routes and rules", "err", err)
	}
}

// first is the first survey. One that fails is tried again for a while, since the kernel cannot list
// addresses while others change them.
func (k *keeper) first() (survey, error) {
	for range 20 {
		s := k.survey.look()
		if s.err == nil {
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s := k.survey.look()
	if s.err != nil {
		return s, fmt.Errorf("look at the host: %w", s.err)
	}
	return s, nil
}

// found returns a group's addresses that are on the host with a lifetime, as a keeper adds them, and
// whether these are all.
func (g Group) found(present map[address.Address]time.Duration) (found []address.Address, whole bool) {
	whole = true
	for _, r := range g.Routers {
		for _, a := range r.Kept() {
			if left, ok := present[a]; ok && left > 0 {
				found = append(found, a)
			} else {
				whole = false
			}
		}
	}
	return found, whole
}

// lifetime is the shortest of the routers' lifetimes.
func (g Group) lifetime() time.Duration {
	least := time.Duration(0)
	for _, r := range g.Routers {
		if l := r.lifetime(); least == 0 || l < least {
			least = l
		}
	}
	return least
}

// listening is how long a keeper that finds a group's addresses on the host listens before it goes on
// as Active: somebody may have claimed them meanwhile, and is heard within one interval.
func (g Group) listening() time.Duration {
	d := 50 * time.Millisecond
	for _, r := range g.Routers {
		d = max(d, r.Interval*11/10)
	}
	return d
}
