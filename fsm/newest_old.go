//go:build oldlevel

package fsm

import "fmt"

// Newest is the highest feature level that this binary supports: this build, for tests alone, is one of the level
// before. It has no decoder of a command that came after, and takes no field that did.
const Newest = LevelKeys - 1

func decodeNewest(env envelope) (Command, error) {
	return nil, fmt.Errorf("%w %q", ErrUnknownCommand, env.Kind)
}

// unknownField refuses what was decoded of fields that came with [LevelKeys], as [strict] does in a binary
// that does not have them.
func unknownField(v any) error {
	switch v := v.(type) {
	case *stored:
		if len(v.Ended) > 0 {
			return fmt.Errorf("json: unknown field %q", "ended")
		}
		return unknownSecret(v.Secrets)
	case *InitCluster:
		return unknownSecret(v.Secrets)
	case *AddToken:
		return unknownSecret(Secrets{Tokens: map[string]Token{v.ID: v.Token}})
	}
	return nil
}

func unknownSecret(s Secrets) error {
	there := map[string]bool{
		"gossip_next": len(s.GossipNext) > 0, "gossip_former": len(s.GossipFormer) > 0,
		"ca_next": s.CANext != nil, "ca_former": len(s.CAFormer) > 0, "ca_links": len(s.CALinks) > 0,
	}
	for _, t := range s.Tokens {
		there["ca"] = there["ca"] || t.CA != ""
	}
	for name, is := range there {
		if is {
			return fmt.Errorf("json: unknown field %q", name)
		}
	}
	return nil
}
