package fsm

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"time"
)

// AddToken lets one agent join later.
type AddToken struct {
	ID    string
	Token Token
	Now   time.Time `json:",omitzero"` // the proposer's clock: tokens that expired long before are forgotten
}

// tokenKept is how long a token is shown after it has expired.
const tokenKept = 30 * 24 * time.Hour

func (AddToken) kind() string { return "add-token/1" }

func (c AddToken) apply(s State) (State, []Change, error) {
	if _, ok := s.secrets.Tokens[c.ID]; ok {
		return s, nil, fmt.Errorf("token %s: %w", c.ID, ErrTaken)
	}
	if c.Token.CA != "" {
		r, _ := s.secrets.Rotation(RotatesCA)
		switch {
		case s.Level < LevelKeys:
			return s, nil, tooLow(s.Level, LevelKeys)
		case c.Token.CA != r.Present && c.Token.CA != r.Former:
			return s, nil, fmt.Errorf("it names CA %s, which is trusted no more: %w; make it again", c.Token.CA, ErrStale)
		}
	}
	s.setToken(c.ID, c.Token)
	maps.DeleteFunc(s.secrets.Tokens, func(_ string, t Token) bool {
		return !c.Now.IsZero() && c.Now.Sub(t.Expires) > tokenKept
	})
	text := fmt.Sprintf("%s of role %s made, good until %s", c.Token.called(c.ID), c.Token.Role, c.Token.Expires.UTC().Format(time.RFC3339))
	return s, []Change{{TokenChanged, c.ID, text}}, nil
}

// called is what people know a record by: a token lets a director join, and a certificate is somebody's.
func (t Token) called(id string) string {
	if t.Role.Asks() {
		return "certificate " + id + " of " + t.UsedBy
	}
	return "token " + id
}

// RevokeToken makes a token useless.
type RevokeToken struct{ ID string }

func (RevokeToken) kind() string { return "revoke-token/1" }

func (c RevokeToken) apply(s State) (State, []Change, error) {
	t, ok := s.secrets.Tokens[c.ID]
	if !ok {
		return s, nil, s.noToken(c.ID)
	}
	s.end(TokenChanged, c.ID)
	s.secrets.Tokens = maps.Clone(s.secrets.Tokens)
	delete(s.secrets.Tokens, c.ID)
	return s, []Change{{TokenChanged, c.ID, t.called(c.ID) + " revoked"}}, nil
}

// setToken replaces one token in a copy of the map.
func (s *State) setToken(id string, t Token) {
	tokens := maps.Clone(s.secrets.Tokens)
	if tokens == nil {
		tokens = map[string]Token{}
	}
	tokens[id] = t
	s.secrets.Tokens = tokens
}

// spend uses a token up for a member. The same member may spend it again: its first answer may
// have been lost.
func (s *State) spend(id, hash string, now time.Time, m Member) error {
	t, ok := s.secrets.Tokens[id]
	user := m.Name + "/" + m.ID
	switch {
	case !ok:
		return fmt.Errorf("%w: this cluster has no token %s, or it was revoked; make one with `quorate token create`", ErrToken, id)
	case subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) != 1:
		return fmt.Errorf("%w: its secret is wrong; was all of it copied?", ErrToken)
	case t.UsedBy == user:
		return nil
	case t.UsedBy != "":
		return fmt.Errorf("%w: it was used up by %s; make one for each joiner with `quorate token create`", ErrToken, t.UsedBy)
	case now.After(t.Expires):
		return fmt.Errorf("%w: it expired at %s; make a new one with `quorate token create`", ErrToken, t.Expires.UTC().Format(time.RFC3339))
	case t.Role != m.Role:
		return fmt.Errorf("%w: it lets in a %s, not a %s", ErrToken, t.Role, m.Role)
	}
	t.UsedBy = user
	s.setToken(id, t)
	return nil
}
