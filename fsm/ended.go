package fsm

import (
	"errors"
	"fmt"
	"slices"
)

// LevelEnded is the feature level from which on it is known which memberships and tokens a person ended.
const LevelEnded = LevelKeys

// maxEnded is how many of them are known.
const maxEnded = 100

// ErrAlready means that a command has nothing to do, since it was done before.
var ErrAlready = errors.New("already")

// Ended is a membership that was ended by [RemoveMember], by the name of the member, or a token by [RevokeToken], by its ID:
// whoever ends it once more, or again since no answer came, is told so, and not that there never was one.
type Ended struct {
	Kind  ChangeKind `json:"kind"` // [MemberChanged] or [TokenChanged]
	Name  string     `json:"name"`
	Index uint64     `json:"index"` // tells which was ended first, and no more: between it and the entry that ended it Raft may have its own
}

func (e Ended) key() string { return string(e.Kind) + " " + e.Name }

func (e Ended) same(other Ended) bool { return e == other }

// end notes what is ended by the entry that is being applied.
func (s *State) end(kind ChangeKind, name string) {
	if s.Level < LevelEnded {
		return
	}
	e := Ended{kind, name, s.Index + 1}
	kept := slices.DeleteFunc(slices.Clone(s.Ended), func(old Ended) bool { return old.key() == e.key() })
	if len(kept) == maxEnded {
		kept = kept[1:]
	}
	s.Ended = append(kept, e)
}

// none is what is said of a member or token that there is none: [ErrAlready] if there was one, else [ErrNotFound].
func (s State) none(kind ChangeKind, name, ended, never string) error {
	if slices.ContainsFunc(s.Ended, func(e Ended) bool { return e.Kind == kind && e.Name == name }) {
		return fmt.Errorf("%s %w", ended, ErrAlready)
	}
	return fmt.Errorf("%s: %w", never, ErrNotFound)
}

// NoMember says of a name that no member has it: [ErrAlready] if one had, else [ErrNotFound].
func (s State) NoMember(name string) error {
	return s.none(MemberChanged, name, "member "+name+" was removed, or has left,", "member "+name)
}

// noToken says of an ID that no token and no certificate has it.
func (s State) noToken(id string) error {
	return s.none(TokenChanged, id, "token or certificate "+id+" was revoked", "no token and no certificate has the ID "+id)
}
