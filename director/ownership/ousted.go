package ownership

import "github.com/quorate/quorate/fsm"

// ousted is whom the log named before this director, while it is not known that its keeper has been told.
type ousted struct {
	log  fsm.Ownership // as it was seen last; only owner and epoch count
	name string
}

// lookOusted follows whom the log names. Who was named before may go on advertising as the owner, if its control hangs
// or is cut off: where both are heard, the newer epoch is to stay. That one has been told when it reports that epoch.
func (s *step) lookOusted() {
	o := &s.ousted
	if o.log.Owner != s.Log.Owner && o.log.Owner != s.Self {
		o.name = o.log.Owner
	}
	o.log = fsm.Ownership{Owner: s.Log.Owner, Epoch: s.Log.Epoch}
	if m, ok := s.member(o.name); !ok || s.Log.Owner != s.Self || m.Epoch >= s.Log.Epoch {
		o.name = ""
	}
}

// Insists reports whether this director, which the log names, cannot count on it that the one named before knows that.
// The machine may not have looked at that log yet.
func (m *Machine) Insists(self string, log fsm.Ownership) bool {
	o := m.ousted
	switch {
	case log.Owner != self:
		return false
	case log.Epoch == o.log.Epoch:
		return o.name != ""
	}
	return o.log.Owner != "" && o.log.Owner != self
}
