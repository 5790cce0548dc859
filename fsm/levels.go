package fsm

// brings says what each feature level brings, a line for each feature. A level is added with what begins with it, and
// nothing is ever taken out.
var brings = map[int][]string{
	1: {"all that the first version can do"},
	LevelHistory: {
		"the last hundred revisions are kept: `quorate history`, `rollback N`, `show --revision N`, `diff N M`, and -m for why",
		"changes that take themselves back: --confirm and --revert-below",
		"edits without a file: `quorate set`, `add` and `remove`",
		"a change is one log entry that holds what it changes and no more; one that is sent again takes effect once",
		"`on_segment_cut` of a router or sync group, which says who owns it while its segment is cut",
	},
	LevelKeys: {
		"the gossip key and the CA are rotated while the cluster runs, and an own CA is brought: `quorate key rotate`",
		"`state_hash` costs nothing with a large configuration",
		"`remove`, `token revoke` and `cert revoke` may be run twice: what was ended is known",
		"a service that only gets another name keeps what is agreed about its servers",
		"a server that is up stays so when its checks are changed, until they say otherwise",
	},
}

// Brings says what a feature level brings, a line for each feature; none for a level that this binary does not know.
func Brings(level int) []string { return brings[level] }

// Known is nil if members of a cluster at a feature level know a command, and what is in it, however old their versions
// are. Else it is the refusal: who sends it to an older leader would hear that this does not know it, and not why.
func Known(level int, c Command) error {
	if needs := begins(c); needs > level {
		return tooLow(level, needs)
	}
	return nil
}

// begins is the feature level that a command needs; 0 if any will do.
func begins(c Command) int {
	switch c := c.(type) {
	case Once:
		return max(LevelHistory, begins(c.Command))
	case ChangeConfig, ConfirmConfig, RevertConfig:
		return LevelHistory
	case OfferGossipKey, OfferCA, TurnKey, DropKey:
		return LevelKeys
	case AddToken:
		if c.Token.CA != "" {
			return LevelKeys
		}
	case PutConfig:
		return c.Config.level()
	case RestoreConfig:
		return c.Config.level()
	}
	return 0
}
