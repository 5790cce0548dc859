package fsm

import (
	"fmt"
	"maps"
	"slices"
)

// AuthKeys are the secrets of one router's authentication.
type AuthKeys struct {
	Key   string `json:"key,omitempty"`
	Other string `json:"other,omitempty"` // empty: there is none
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

// hidden returns the router without its keys.
func (r Router) hidden() Router {
	if r.Auth != nil {
		a := *r.Auth
		a.Key, a.OtherKey = "", ""
		r.Auth = &a
	}
	return r
}

// withKeys returns the router with keys in it.
func (r Router) withKeys(k AuthKeys) Router {
	if r.Auth != nil {
		a := *r.Auth
		a.Key, a.OtherKey = k.Key, k.Other
		r.Auth = &a
	}
	return r
}

// WithKeys returns the configuration with the keys of its routers in it, which a state keeps apart.
func (s State) WithKeys() Config {
	c := s.Config
	if len(s.secrets.VRRPKeys) == 0 {
		return c
	}
	routers := make(map[string]Router, len(c.Routers))
	for name, r := range c.Routers {
		routers[name] = r.withKeys(s.secrets.RouterKeys(name))
	}
	c.Routers = routers
	return c
}

// withKeys returns the delta with keys in its routers.
func (d Delta) withKeys(keys map[string]AuthKeys) Delta {
	if len(keys) == 0 {
		return d
	}
	d.Routers = maps.Clone(d.Routers)
	for name, k := range keys {
		if r := d.Routers[name]; r != nil {
			with := r.withKeys(k)
			d.Routers[name] = &with
		}
	}
	return d
}

// hideKeys takes the keys of routers out of a configuration, and puts them among the secrets with those that
// stay.
func hideKeys(c, old Config, secrets *Secrets) (Config, error) {
	all := Delta{Routers: make(map[string]*Router, len(old.Routers))}
	for name := range old.Routers {
		all.Routers[name] = nil
	}
	for name, r := range c.Routers {
		all.Routers[name] = &r
	}
	hidden, _, err := all.hideKeys(old, secrets)
	if err != nil {
		return c, err
	}
	c.Routers = maps.Clone(c.Routers)
	for name := range c.Routers {
		c.Routers[name] = *hidden.Routers[name]
	}
	return c, nil
}

// hideKeys takes the keys of routers out of a delta, and puts them among the secrets with those that stay. It
// also returns the keys that its routers had.
func (d Delta) hideKeys(old Config, secrets *Secrets) (Delta, map[string]AuthKeys, error) {
	if len(d.Routers) == 0 {
		return d, nil, nil
	}
	first, other, had := maps.Clone(secrets.VRRPKeys), maps.Clone(secrets.VRRPOtherKeys), map[string]AuthKeys{}
	d.Routers = maps.Clone(d.Routers)
	for _, name := range slices.Sorted(maps.Keys(d.Routers)) {
		r, was := d.Routers[name], secrets.RouterKeys(name)
		delete(first, name)
		delete(other, name)
		if was != (AuthKeys{}) {
			had[name] = was
		}
		if r == nil || r.Auth == nil {
			continue
		}
		keys, err := r.Auth.complete(old.Routers[name].Auth, was)
		if err != nil {
			return d, nil, fmt.Errorf("router %s %w", name, err)
		}
		put(&first, name, keys.Key)
		if r.Auth.OtherID != 0 {
			put(&other, name, keys.Other)
		}
		hidden := r.hidden()
		d.Routers[name] = &hidden
	}
	secrets.VRRPKeys, secrets.VRRPOtherKeys = orNil(first), orNil(other)
	return d, had, nil
}

func put(m *map[string]string, name, key string) {
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[name] = key
}

func orNil(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}
