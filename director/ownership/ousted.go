package ownership

import (
	"slices"

	"github.com/quorate/quorate/fsm"
)

// ousted are those that the log has named before, of whom it is not known that their keepers have been told.
type ousted struct {
	log   fsm.Ownership // as it was seen last; only owner and epoch count
	names []string
}

// lookOusted follows whom the log names. Who was named before may go on advertising as the owner, if its control hangs
// or is cut off, whoever was named since: where both are heard, the newest epoch is to stay. One has been told when it
// reports that epoch.
func (s *step) lookOusted() {
	o := &s.ousted
	if was := o.log.Owner; was != "" && was != s.Log.Owner && was != s.Self && !slices.Contains(o.names, was) {
		o.names = append(o.names, was)
	}
	o.log = fsm.Ownership{Owner: s.Log.Owner, Epoch: s.Log.Epoch}
	o.names = slices.DeleteFunc(o.names, func(name string) bool {
		m, ok := s.member(name)
		return !ok || name == s.Log.Owner || m.Epoch >= s.Log.Epoch
	})
}

// Insists reports whether this director, which the log names, cannot count on it that all that were named before know that.
// The machine may not have looked at that log yet.
func (m *Machine) Insists(self string, log fsm.Ownership) bool {
	o := m.ousted
	switch {
	case log.Owner != self:
		return false
	case log.Epoch == o.log.Epoch:
		return len(o.names) > 0
	}
	return len(o.names) > 0 || o.log.Owner != "" && o.log.Owner != self
}
