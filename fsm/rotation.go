package fsm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// LevelKeys is the feature level from which on the cluster's own keys can be rotated while it runs.
// No version that was released goes to it yet: until one does it may gain what else begins with it, as the verdicts that a
// renamed service keeps, see judged.go.
const LevelKeys = 3

// What can be rotated. Either has three steps: the next key is taken by everybody beside the present one, it is used
// and the former one still taken, the former one is dropped. So at no moment somebody uses what another does not take,
// and who was away in between finds what it has still taken.
const (
	RotatesGossip = "gossip"
	RotatesCA     = "ca"
)

// gossipKeySize is that of all keys: AES-256.
const gossipKeySize = 32

// linksKept is of how many CAs the successors are known for good.
const linksKept = 8

// KeyID tells a secret key, or the certificate of a CA in PEM, from others and nothing else of it.
func KeyID(key []byte) string {
	if len(key) == 0 {
		return ""
	}
	sum := sha256.Sum256(append([]byte("quorate key\n"), key...))
	return hex.EncodeToString(sum[:4])
}

// Rotation is one that is under way, by the IDs of its keys.
type Rotation struct {
	What    string
	Present string // that is used
	Next    string // that everybody is to take before it is used; "" once it is the present one
	Former  string // that is still taken
}

// Rotation returns what is under way of a rotation, and false if there is none. The present key is named all the same.
func (s Secrets) Rotation(what string) (Rotation, bool) {
	r := Rotation{What: what}
	switch what {
	case RotatesGossip:
		r.Present, r.Next, r.Former = KeyID(s.GossipKey), KeyID(s.GossipNext), KeyID(s.GossipFormer)
	case RotatesCA:
		r.Present, r.Former = KeyID(s.CACert), KeyID(s.CAFormer)
		if s.CANext != nil {
			r.Next = KeyID(s.CANext.Cert)
		}
	}
	return r, r.Next != "" || r.Former != ""
}

// String says how far it is.
func (r Rotation) String() string {
	text := r.name() + " is " + r.Present
	if r.Next != "" {
		text += ", " + r.Next + " follows it"
	}
	if r.Former != "" {
		text += ", " + r.Former + " is still taken"
	}
	return text
}

// OfferGossipKey has everybody take a gossip key beside the present one, which is to be Of.
type OfferGossipKey struct {
	Of     string // ID
	Key    []byte
	Author string // who asked
}

func (OfferGossipKey) kind() string { return "offer-gossip-key/1" }

func (c OfferGossipKey) apply(s State) (State, []Change, error) {
	if err := s.mayOffer(RotatesGossip, c.Of); err != nil {
		return s, nil, err
	}
	if len(c.Key) != gossipKeySize {
		return s, nil, fmt.Errorf("a gossip key has %d bytes, not %d", gossipKeySize, len(c.Key))
	}
	if KeyID(c.Key) == c.Of {
		return s, nil, fmt.Errorf("that gossip key is the present one: %w", ErrTaken)
	}
	s.secrets.GossipNext = c.Key
	return s, rotated("gossip key %s is taken beside %s, and follows it: asked for by %s", KeyID(c.Key), c.Of, orNobody(c.Author)), nil
}

// OfferCA has everybody trust a CA beside the present one, which is to be Of.
type OfferCA struct {
	Of     string // ID
	CA     Authority
	Author string // who asked
}

func (OfferCA) kind() string { return "offer-ca/1" }

func (c OfferCA) apply(s State) (State, []Change, error) {
	if err := s.mayOffer(RotatesCA, c.Of); err != nil {
		return s, nil, err
	}
	id := KeyID(c.CA.Cert)
	switch {
	case id == "" || len(c.CA.Key) == 0 || len(c.CA.Link) == 0:
		return s, nil, errors.New("a CA has a certificate, a key, and a link to the one before it")
	case id == c.Of:
		return s, nil, fmt.Errorf("that CA is the present one: %w", ErrTaken)
	}
	next := c.CA
	s.secrets.CANext = &next
	return s, rotated("CA %s is trusted beside %s, and follows it: asked for by %s", id, c.Of, orNobody(c.Author)), nil
}

// mayOffer says why nothing can follow a key now.
func (s State) mayOffer(what, of string) error {
	if s.Level < LevelKeys {
		return tooLow(s.Level, LevelKeys)
	}
	r, underWay := s.secrets.Rotation(what)
	switch {
	case underWay:
		return fmt.Errorf("a rotation of %s is under way: %w; `quorate key status` says how far it is, `quorate key finish %s` ends it", r.name(), ErrTaken, what)
	case r.Present != of:
		return fmt.Errorf("the present %s is %s, and not %s: %w", r.name(), r.Present, of, ErrStale)
	}
	return nil
}

// name is what people call what is rotated.
func (r Rotation) name() string {
	if r.What == RotatesCA {
		return "the CA"
	}
	return "the gossip key"
}

// TurnKey has the next key be used, and the present one be the former. Once that is so it is no change.
type TurnKey struct {
	What string
	To   string // ID of the next one
}

func (TurnKey) kind() string { return "turn-key/1" }

func (c TurnKey) apply(s State) (State, []Change, error) {
	if s.Level < LevelKeys {
		return s, nil, tooLow(s.Level, LevelKeys)
	}
	r, _ := s.secrets.Rotation(c.What)
	switch {
	case c.To == "" || c.To != r.Next && c.To != r.Present:
		return s, nil, fmt.Errorf("%s is not the key that follows: %w", c.To, ErrStale)
	case c.To == r.Present:
		return s, nil, nil
	}
	sec := &s.secrets
	if c.What == RotatesCA {
		sec.turnCA(r.Present)
		return s, rotated("CA %s signs now, and %s is still trusted", r.Next, r.Present), nil
	}
	sec.GossipKey, sec.GossipFormer, sec.GossipNext = sec.GossipNext, sec.GossipKey, nil
	return s, rotated("gossip key %s is used now, and %s still taken", r.Next, r.Present), nil
}

// turnCA has the next CA be the present one. What was made under the present one, which has the ID former then, is noted.
func (s *Secrets) turnCA(former string) {
	links := append(slices.Clone(s.CALinks), Link{Of: s.CACert, Cert: s.CANext.Link})
	s.CALinks = links[max(0, len(links)-linksKept):]
	s.CAFormer, s.CACert, s.CAKey, s.CANext = s.CACert, s.CANext.Cert, s.CANext.Key, nil
	s.Tokens = maps.Clone(s.Tokens)
	for id, t := range s.Tokens {
		if t.CA == "" {
			t.CA = former
			s.Tokens[id] = t
		}
	}
}

// Hanging counts what is good at a time and ends with a CA: certificates of people and programs, and tokens.
func (s Secrets) Hanging(ca string, now time.Time) (certificates, tokens int) {
	for _, t := range s.Tokens {
		switch {
		case t.CA != ca && (t.CA != "" || ca != KeyID(s.CACert)), now.After(t.Expires):
		case t.Role.Asks():
			certificates++
		case t.UsedBy == "":
			tokens++
		}
	}
	return certificates, tokens
}

// DropKey has the former key be taken no more. Once that is so it is no change.
type DropKey struct {
	What   string
	Of     string // ID of the former one
	Author string // who asked, without waiting for everybody to use the present one; "" if all do
}

func (DropKey) kind() string { return "drop-key/1" }

func (c DropKey) apply(s State) (State, []Change, error) {
	if s.Level < LevelKeys {
		return s, nil, tooLow(s.Level, LevelKeys)
	}
	r, underWay := s.secrets.Rotation(c.What)
	switch {
	case c.What != RotatesGossip && c.What != RotatesCA:
		return s, nil, errors.New("nothing is rotated under that name")
	case !underWay:
		return s, nil, nil
	case c.Of == "" || c.Of != r.Former:
		return s, nil, fmt.Errorf("%s is not the former key: %w", c.Of, ErrStale)
	}
	why := "everybody uses " + r.Present
	if c.Author != "" {
		why = "asked for by " + c.Author
	}
	if c.What == RotatesCA {
		s.secrets.CAFormer = nil
		s.secrets.Tokens = maps.Clone(s.secrets.Tokens)
		maps.DeleteFunc(s.secrets.Tokens, func(_ string, t Token) bool { return t.CA == c.Of })
		return s, rotated("CA %s is trusted no more, and what it has signed is worth nothing: %s", c.Of, why), nil
	}
	s.secrets.GossipFormer = nil
	return s, rotated("gossip key %s is taken no more: %s", c.Of, why), nil
}

func rotated(format string, args ...any) []Change {
	return []Change{{KeyChanged, "", fmt.Sprintf(format, args...)}}
}
