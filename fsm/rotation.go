package fsm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// LevelKeys is the feature level from which on the cluster's own keys can be rotated while it runs.
const LevelKeys = 3

// What can be rotated. Either has three steps: the next key is taken by everybody beside the present one, it is used
// and the former one still taken, the former one is dropped. So at no moment somebody uses what another does not take,
// and who was away in between finds what it has still taken.
const (
	RotatesGossip = "gossip"
)

// gossipKeySize is that of all keys: AES-256.
const gossipKeySize = 32

// KeyID tells a secret key from others and nothing else of it.
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
	if what == RotatesGossip {
		r.Present, r.Next, r.Former = KeyID(s.GossipKey), KeyID(s.GossipNext), KeyID(s.GossipFormer)
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
func (r Rotation) name() string { return "the gossip key" }

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
	sec.GossipKey, sec.GossipFormer, sec.GossipNext = sec.GossipNext, sec.GossipKey, nil
	return s, rotated("gossip key %s is used now, and %s still taken", r.Next, r.Present), nil
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
	case c.What != RotatesGossip:
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
	s.secrets.GossipFormer = nil
	return s, rotated("gossip key %s is taken no more: %s", c.Of, why), nil
}

func rotated(format string, args ...any) []Change {
	return []Change{{KeyChanged, "", fmt.Sprintf(format, args...)}}
}
