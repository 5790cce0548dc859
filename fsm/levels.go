package fsm

// Newest is the highest feature level that this binary supports.
const Newest = LevelHistory

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
}

// Brings says what a feature level brings, a line for each feature; none for a level that this binary does not know.
func Brings(level int) []string { return brings[level] }
