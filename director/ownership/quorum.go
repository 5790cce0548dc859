package ownership

import "github.com/quorate/quorate/fsm"

// WithoutQuorum says what a director that has been without quorum for the grace does with a group: why it
// must not own it, or why it gives it up once. It may own it again then, like any Backup, after it has heard
// nobody for a whole down interval. Both are empty where it goes on, and with quorum.
func WithoutQuorum(what fsm.QuorumLoss, quorum bool) (blocked, yield string) {
	why := "no quorum, and on_quorum_loss is " + string(what)
	switch {
	case quorum:
	case what == fsm.LetGo:
		return why, ""
	case what == fsm.GiveWay:
		return "", why
	}
	return "", ""
}
