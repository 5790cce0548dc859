//go:build oldlevel

package fsm

import "fmt"

// Newest is the highest feature level that this binary supports: this build, for tests alone, is one of the level
// before. It has no decoder of a command that came after, and takes no field that did.
const Newest = LevelHistory - 1

func decodeNewest(env envelope) (Command, error) {
	return nil, fmt.Errorf("%w %q", ErrUnknownCommand, env.Kind)
}

// unknownField refuses what was decoded of fields that came with [LevelHistory], as [strict] does in a binary
// that does not have them.
func unknownField(v any) error {
	switch v := v.(type) {
	case *stored:
		for name, there := range map[string]bool{
			"history": len(v.History) > 0, "trial": v.Trial != nil, "requests": len(v.Requests) > 0, "forgotten": v.Forgotten > 0,
			"former_keys": len(v.Secrets.Former) > 0, "on_segment_cut": v.Config.level() >= LevelHistory,
		} {
			if there {
				return fmt.Errorf("json: unknown field %q", name)
			}
		}
	case *PutConfig:
		return unknownInConfig(v.Config)
	case *RestoreConfig:
		return unknownInConfig(v.Config)
	}
	return nil
}

func unknownInConfig(c Config) error {
	if c.level() >= LevelHistory {
		return fmt.Errorf("json: unknown field %q", "on_segment_cut")
	}
	return nil
}
