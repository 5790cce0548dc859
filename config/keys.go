package config

import (
	"fmt"
	"maps"

	"github.com/quorate/quorate/fsm"
)

// Keys of routers are written once. The cluster keeps them apart and shows them to nobody: what it prints
// says that there is one, and a file that says the same, or nothing, keeps it.

// KeepKeys returns the configuration that is to come without those keys which the cluster has already, so
// that [Diff] does not call them new. Have are the keys by the name of the router.
func KeepKeys(before, after fsm.Config, have map[string]string) fsm.Config {
	routers := maps.Clone(after.Routers)
	for name, r := range routers {
		if r.Auth != nil && r.Auth.Key != "" && r.Auth.Key == have[name] && keeps(before, name, r.Auth.Kind) {
			a := *r.Auth
			a.Key = ""
			r.Auth = &a
			routers[name] = r
		}
	}
	after.Routers = routers
	return after
}

// MissingKeys says which routers are to keep a key that the cluster does not have. [Validate] cannot: it
// sees one configuration alone.
func MissingKeys(before, after fsm.Config) Problems {
	var all Problems
	for name, r := range sorted(after.Routers) {
		if r.Auth != nil && r.Auth.Key == "" && !keeps(before, name, r.Auth.Kind) {
			all = append(all, Problem{
				Path: fmt.Sprintf("routers[%q].auth.key", name),
				Text: fmt.Sprintf("router %q, auth %q: has no key, and the cluster has none of that kind to keep", name, r.Auth.Kind),
				Hint: `add key = "..."`,
			})
		}
	}
	return all
}

// keeps reports whether a router has a key that another configuration can keep.
func keeps(c fsm.Config, router string, kind fsm.AuthKind) bool {
	was := c.Routers[router].Auth
	return was != nil && was.Kind == kind
}
