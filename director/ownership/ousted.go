package ownership

import (
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// insistsUntil is the longest pause between two announcements of who is named after one that may not know of it.
const insistsUntil = 10 * time.Second

// ousted are those that the log has named before, of whom it is not known that their keepers have been told.
type ousted struct {
	log   fsm.Ownership // as it was seen last; only owner and epoch count
	names []string
	over  bool // another was named while this director owned the group
}

// lookOusted follows whom the log names. Who was named before may go on advertising as the owner, if its control hangs
// or is cut off, whoever was named since: where both are heard, the newest epoch is to stay. One has been told when it
// reports that epoch.
func (s *step) lookOusted() {
	o := &s.ousted
	if was := o.log.Owner; was != "" && was != s.Log.Owner && was != s.Self && !slices.Contains(o.names, was) {
		o.names = append(o.names, was)
	}
	s.lookRenamed()
	named := s.Log.Owner == s.Self && s.Log.Epoch != o.log.Epoch
	o.log = fsm.Ownership{Owner: s.Log.Owner, Epoch: s.Log.Epoch}
	o.names = slices.DeleteFunc(o.names, func(name string) bool {
		m, ok := s.member(name)
		return !ok || name == s.Log.Owner || m.Epoch >= s.Log.Epoch
	})
	if named && len(o.names) > 0 {
		s.insist(concedes)
	}
}

// insist has an owner announce its addresses again, and again after ever longer pauses, as long as the control of one that was
// named before it is silent and is not known to have been told: its keeper may have answered for them until the adverts of the
// new epoch reached it, and its own adverts not reach this director. Then it lets go, and nobody else tells its neighbours.
func (s *step) insist(pause time.Duration) {
	epoch := s.Log.Epoch
	s.after(pause, func(s *step) {
		if s.Log.Epoch != epoch || len(s.ousted.names) == 0 {
			return
		}
		if slices.ContainsFunc(s.ousted.names, func(name string) bool { return s.named(name).Unheard >= GoneAfter }) {
			s.renew()
		}
		if pause *= 4; pause <= insistsUntil {
			s.insist(pause)
		}
	})
}

// lookRenamed has an owner announce its addresses again when the log names it after it had named another: that one has told
// the neighbours where they are, and this director was not there to hear of it, as while its control stood still.
func (s *step) lookRenamed() {
	o := &s.ousted
	switch {
	case s.Keeper.Part != Owner:
		o.over = false
	case s.Log.Owner != s.Self:
		o.over = o.over || o.log.Owner == s.Self
	case o.over || o.log.Owner == s.Self && s.Log.Epoch > o.log.Epoch+1:
		o.over = false
		s.renew()
	}
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
