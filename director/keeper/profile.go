package keeper

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/director/vrrp"
)

// Neighbor is a foreign router that is known: one to which unicast adverts go, or one that is no stranger.
type Neighbor struct {
	Address netip.Addr `json:"address"`
	// MinTTL is the lowest TTL that its unicast adverts may have; 0 is 255.
	MinTTL uint8 `json:"min_ttl,omitempty"`
}

// Auth is how adverts are authenticated.
type Auth struct {
	// Kind is "password" or "ah" for version 2, "hmac" for keepalived's signature. AH is only received:
	// what is sent then has no authentication.
	Kind string `json:"kind"`
	// KeyID is the number of an hmac key.
	KeyID uint8 `json:"key_id,omitempty"`
	// Key is a password or AH key of 8 bytes at most, or an hmac key of 32 to 64 bytes in hex.
	Key string `json:"key"`
	// OtherID and OtherKey are another hmac key, which is believed and signs nothing; 0 and empty for none.
	OtherID  uint8  `json:"other_key_id,omitempty"`
	OtherKey string `json:"other_key,omitempty"`
}

// signing returns what signs with the key, and believes both.
func (a Auth) signing() (*vrrp.Signing, error) {
	keys := []vrrp.Key{{ID: a.KeyID}}
	texts := []string{a.Key}
	if a.OtherID != 0 {
		keys, texts = append(keys, vrrp.Key{ID: a.OtherID}), append(texts, a.OtherKey)
	}
	for i, text := range texts {
		secret, err := hex.DecodeString(text)
		if err != nil {
			return nil, errors.New("an hmac key that is not hex")
		}
		keys[i].Secret = secret
	}
	return vrrp.NewSigning(a.KeyID, keys...)
}

// profile is how a router speaks. Members are those of the other directors' addresses that are on its link.
func (r Router) profile(members []netip.Addr) (vrrp.Profile, error) {
	p := vrrp.Profile{
		Version: vrrp.Version(r.Version), Unicast: r.Unicast, Checksum: r.checksum(),
		Enforce: r.Enforce, StrictAddresses: r.StrictAddresses, VirtualMAC: r.VirtualMAC,
	}
	for _, n := range r.Neighbors {
		p.Neighbors = append(p.Neighbors, vrrp.Neighbor{Address: n.Address, MinTTL: n.MinTTL})
	}
	if r.Unicast {
		for _, m := range members {
			p.Neighbors = append(p.Neighbors, vrrp.Neighbor{Address: m})
		}
	}
	if r.Auth == nil {
		return p, nil
	}
	switch r.Auth.Kind {
	case "password", "ah":
		if len(r.Auth.Key) == 0 || len(r.Auth.Key) > len(p.Secret) {
			return p, fmt.Errorf("a key of %d bytes for %s, want 1 to 8", len(r.Auth.Key), r.Auth.Kind)
		}
		copy(p.Secret[:], r.Auth.Key)
		p.Auth = vrrp.Password
		if r.Auth.Kind == "ah" {
			p.Auth = vrrp.Header
		}
	case "hmac":
		var err error
		p.Signing, err = r.Auth.signing()
		return p, err
	default:
		return p, fmt.Errorf("authentication %q, want password, ah or hmac", r.Auth.Kind)
	}
	return p, nil
}

// speak gives a router its profile, when anything that it is made of may have changed. Replays that were
// seen are remembered while the key is the same.
func (k *keeper) speak(r *router) {
	next := speech{spec: r.spec, source: r.source, members: k.membersOn(r)}
	if r.judge.Interval != 0 && next.same(r.speech) {
		return
	}
	signing := r.judge.Profile.Signing
	keeps := r.spec.sameAuth(r.speech.spec)
	p, err := r.spec.profile(next.members)
	r.speech, r.sender, r.unsent = next, nil, err
	if keeps && signing != nil && p.Signing != nil {
		p.Signing = signing
	}
	r.judge.Profile = p
	r.judge.Addresses, r.judge.Interval, r.judge.Members = r.spec.advertised(), r.spec.Interval, k.members
	if err != nil || !r.source.IsValid() {
		return
	}
	if p.Auth == vrrp.Header {
		p.Auth = vrrp.NoAuth
	}
	r.sender, r.unsent = vrrp.NewSender(r.spec.VRID, r.spec.Interval, r.spec.advertised(), r.source, p)
}

// speech is what a router's profile and adverts are made of.
type speech struct {
	spec    Router
	source  netip.Addr
	members []netip.Addr
}

func (s speech) same(other speech) bool {
	a, b := s.spec, other.spec
	return s.source == other.source && slices.Equal(s.members, other.members) && a.Interval == b.Interval &&
		slices.Equal(a.Addresses, b.Addresses) && a.Version == b.Version && a.Unicast == b.Unicast && a.Checksum == b.Checksum &&
		a.Enforce == b.Enforce && a.StrictAddresses == b.StrictAddresses && a.VirtualMAC == b.VirtualMAC &&
		slices.Equal(a.Neighbors, b.Neighbors) && a.sameAuth(b)
}

func (r Router) sameAuth(other Router) bool {
	if r.Auth == nil || other.Auth == nil {
		return r.Auth == other.Auth
	}
	return *r.Auth == *other.Auth
}

// from returns the address that a router speaks from. IPv6 unicasts come from an address of the neighbor's subnet:
// that is what the neighbor knows us by, and believes.
func (k *keeper) from(spec Router, f facts) netip.Addr {
	if !spec.Unicast || !spec.identity().V6 {
		return f.source
	}
	var to []netip.Addr
	for _, n := range spec.Neighbors {
		to = append(to, n.Address)
	}
	for _, a := range append(to, slices.SortedFunc(maps.Keys(k.members), netip.Addr.Compare)...) {
		for _, p := range f.globals {
			if p.Contains(a) {
				return p.Addr()
			}
		}
	}
	return f.source
}

// membersOn returns the addresses of other directors that are on a router's link.
func (k *keeper) membersOn(r *router) []netip.Addr {
	if !r.spec.Unicast {
		return nil
	}
	v6 := r.spec.identity().V6
	var out []netip.Addr
	for _, m := range slices.SortedFunc(maps.Keys(k.members), netip.Addr.Compare) {
		on := func(p netip.Prefix) bool { return p.Contains(m) && m != r.source }
		if m.Is6() == v6 && !m.IsLinkLocalUnicast() && slices.ContainsFunc(r.judge.Subnets, on) {
			out = append(out, m)
		}
	}
	return out
}

// filter is what the socket of a link has to let pass. VRIDs of others pass, to be counted.
func (k *keeper) filter(l link) vrrp.Filter {
	var f vrrp.Filter
	for id, g := range k.at {
		if id.link == l {
			spec := g.routers[id].spec
			f.Unicast = f.Unicast || spec.Unicast
			f.AH = f.AH || spec.Auth != nil && spec.Auth.Kind == "ah"
		}
	}
	return f
}

// filters gives every socket its filter, again where it has it: so it sees that a flood is over.
func (k *keeper) filters() {
	for l, p := range k.ports {
		if err := p.conn.SetFilter(k.filter(l)); err != nil {
			k.log.Warn("filter what is received", "interface", l.Interface, "err", err)
		}
	}
}
