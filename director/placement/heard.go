package placement

import (
	"fmt"

	"github.com/quorate/quorate/fsm"
)

// heard names a director that owns a group without the log's order and cannot report it, since its control is away or cut
// off. The log follows the wire, and then the group is moved from it as from any owner whose control is away: its health
// checks are frozen. One whose control has just come back reports by itself: so it must have lasted.
func heard(s Situation) *fsm.SetOwner {
	name := unreported(s)
	if name == "" || s.Unreported < Grace {
		return nil
	}
	why := fmt.Sprintf("%s hears it, and its control has not answered for %v", s.Log.Owner, Grace)
	return &fsm.SetOwner{Group: s.Group, Owner: name, Epoch: s.Log.Epoch + 1, Reason: why}
}

// unreported is a director that whom the log names hears own the group, while nothing comes from its control and nobody
// says otherwise; or "". One that has claimed the group has a control that would claim it again, whoever reaches it.
func unreported(s Situation) string {
	named := find(s.Views, s.Log.Owner)
	// Who does not know the epoch yet tells of the time before it. One that cannot say who has claimed the group from it
	// would see it named, moved back and claimed again without end.
	if named == nil || !named.Tells || !named.Alive || named.Silent > Grace || named.Epoch < s.Log.Epoch {
		return ""
	}
	v := find(s.Views, named.Hears)
	if v == nil || v.Silent <= Grace || named.Claimant == v.Name {
		return ""
	}
	for _, other := range s.Views {
		says := other.Alive && other.Silent <= Grace
		if says && (other.Active || other.Hears != "" && other.Hears != v.Name) {
			return "" // the wire decides first
		}
	}
	return v.Name
}
