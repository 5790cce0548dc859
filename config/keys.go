package config

import (
	"fmt"
	"maps"

	"github.com/quorate/quorate/fsm"
)

// Keys of routers are secrets: the cluster stores them apart and prints "(kept)" in their place. A file that says "(kept)" as
// well, or leaves the key out, keeps the one that the cluster has.

// KeepKeys returns after without the keys that the cluster has already, so that [Diff] does not call them new.
func KeepKeys(before, after fsm.Config, have fsm.Secrets) fsm.Config {
	routers := maps.Clone(after.Routers)
	for name, r := range routers {
		if r.Auth == nil {
			continue
		}
		a, keep := *r.Auth, r.Auth.Keep(before.Routers[name].Auth, have.RouterKeys(name))
		if a.Key == keep.Key {
			a.Key = ""
		}
		if a.OtherKey == keep.Other {
			a.OtherKey = ""
		}
		r.Auth = &a
		routers[name] = r
	}
	after.Routers = routers
	return after
}

// DiffKeys is [Diff] of two configurations that have all their keys. It shows no key either, only that it is another.
func DiffKeys(before, after fsm.Config) []Change {
	changes := Diff(before, after)
	for _, c := range changes {
		for i, f := range c.Fields {
			if c.Kind == KindAuth && f.Old == newKey {
				c.Fields[i].Old = oneKey
			}
			if c.Kind == KindAuth && f.New == newKey {
				c.Fields[i].New = otherKey
			}
		}
	}
	return changes
}

// What a difference says in the place of keys.
const (
	newKey   = "(new)"
	oneKey   = "(one)"
	otherKey = "(other)"
)

// MissingKeys returns a problem for each router that is to keep a key which the cluster does not have. [Validate] cannot find
// that, since it sees one configuration only.
func MissingKeys(before, after fsm.Config) Problems {
	var all Problems
	for name, r := range sorted(after.Routers) {
		if r.Auth == nil {
			continue
		}
		missing := func(key, what string) {
			all = append(all, Problem{
				Path: fmt.Sprintf("routers[%q].auth.%s", name, key),
				Text: fmt.Sprintf("router %q, auth %q: has no %s", name, r.Auth.Kind, what),
				Hint: fmt.Sprintf(`add %s = "..."`, key),
			})
		}
		keep := r.Auth.Keep(before.Routers[name].Auth, fsm.AuthKeys{Key: "one", Other: "one"})
		if r.Auth.Key == "" && keep.Key == "" {
			what := "key, and the cluster has none of that kind to keep"
			if r.Auth.Kind == fsm.AuthHMAC {
				what = fmt.Sprintf("key %d, and the cluster has none of that number to keep", r.Auth.KeyID)
			}
			missing("key", what)
		}
		if r.Auth.OtherID != 0 && r.Auth.OtherKey == "" && keep.Other == "" {
			missing("other_key", fmt.Sprintf("other key %d, and the cluster has none of that number to keep", r.Auth.OtherID))
		}
	}
	return all
}
