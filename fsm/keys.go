package fsm

import (
	"fmt"
	"maps"
	"slices"
)

// AuthKeys are the secrets of one router's authentication.
type AuthKeys struct {
	Key   string
	Other string // empty: there is none
}

// RouterKeys returns the secrets of one router.
func (s Secrets) RouterKeys(router string) AuthKeys {
	return AuthKeys{Key: s.VRRPKeys[router], Other: s.VRRPOtherKeys[router]}
}

// Keep returns the secrets that a router with this authentication has if it comes without any: of what it had
// by now, which may be nil, those of the same kind and number, whichever of the two they were. A key alone that
// only gets another number is kept too. What is not to be kept is empty.
func (a Auth) Keep(old *Auth, had AuthKeys) AuthKeys {
	if old == nil || old.Kind != a.Kind {
		return AuthKeys{}
	}
	numbered := func(id uint8) string {
		switch {
		case id == old.KeyID:
			return had.Key
		case id == old.OtherID:
			return had.Other
		}
		return ""
	}
	keep := AuthKeys{Key: numbered(a.KeyID)}
	if a.OtherID != 0 {
		keep.Other = numbered(a.OtherID)
	} else if old.OtherID == 0 {
		keep.Key = had.Key
	}
	return keep
}

// complete returns the secrets that a router with this authentication has: those that it comes with, and else
// those that it keeps. It is an error if one is missing.
func (a Auth) complete(old *Auth, had AuthKeys) (AuthKeys, error) {
	keys, keep := AuthKeys{a.Key, a.OtherKey}, a.Keep(old, had)
	if keys.Key == "" {
		keys.Key = keep.Key
	}
	if keys.Other == "" {
		keys.Other = keep.Other
	}
	switch {
	case keys.Key == "":
		return keys, fmt.Errorf("has no key for its authentication, and had none: %w", ErrNotFound)
	case keys.Other == "" && a.OtherID != 0:
		return keys, fmt.Errorf("has no other key of number %d, and had none: %w", a.OtherID, ErrNotFound)
	}
	return keys, nil
}

// hideKeys takes the keys of routers out of a configuration, and puts them among the secrets with those that
// stay.
func hideKeys(c, old Config, secrets *Secrets) (Config, error) {
	var first, other map[string]string
	put := func(m *map[string]string, name, key string) {
		if *m == nil {
			*m = map[string]string{}
		}
		(*m)[name] = key
	}
	routers := maps.Clone(c.Routers)
	for _, name := range slices.Sorted(maps.Keys(routers)) {
		r := routers[name]
		if r.Auth == nil {
			continue
		}
		keys, err := r.Auth.complete(old.Routers[name].Auth, secrets.RouterKeys(name))
		if err != nil {
			return c, fmt.Errorf("router %s %w", name, err)
		}
		put(&first, name, keys.Key)
		if r.Auth.OtherID != 0 {
			put(&other, name, keys.Other)
		}
		hidden := *r.Auth
		hidden.Key, hidden.OtherKey = "", ""
		r.Auth = &hidden
		routers[name] = r
	}
	c.Routers = routers
	secrets.VRRPKeys, secrets.VRRPOtherKeys = first, other
	return c, nil
}
