//go:build !oldlevel

package fsm

import "fmt"

// Newest is the highest feature level that this binary supports.
const Newest = LevelHistory

// decodeNewest decodes the kinds of command that the newest level brought. They are apart, so that a build for tests
// (`-tags oldlevel`) can be without them.
func decodeNewest(env envelope) (Command, error) {
	switch env.Kind {
	case "once/1":
		return decodeOnce(env)
	case "change-config/1":
		return body[ChangeConfig](env)
	case "confirm-config/1":
		return body[ConfirmConfig](env)
	case "revert-config/1":
		return body[RevertConfig](env)
	default:
		return nil, fmt.Errorf("%w %q", ErrUnknownCommand, env.Kind)
	}
}

// unknownField refuses fields that this binary does not know and [strict] does: there are none.
func unknownField(any) error { return nil }
