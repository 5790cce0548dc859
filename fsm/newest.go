//go:build !oldlevel

package fsm

import "fmt"

// Newest is the highest feature level that this binary supports.
const Newest = LevelKeys

// decodeNewest decodes the kinds of command that the newest level brought. They are apart, so that a build for tests
// (`-tags oldlevel`) can be without them.
func decodeNewest(env envelope) (Command, error) {
	switch env.Kind {
	case "offer-gossip-key/1":
		return body[OfferGossipKey](env)
	case "offer-ca/1":
		return body[OfferCA](env)
	case "turn-key/1":
		return body[TurnKey](env)
	case "drop-key/1":
		return body[DropKey](env)
	default:
		return nil, fmt.Errorf("%w %q", ErrUnknownCommand, env.Kind)
	}
}

// unknownField refuses fields that this binary does not know and [strict] does: there are none.
func unknownField(any) error { return nil }
