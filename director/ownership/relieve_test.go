package ownership

import (
	"testing"
	"time"
)

// later has d3 be the first successor and this director the next, while the owner is cut off; it returns after how long
// this director asks the owner to let go, 0 if it does not.
func later(t *testing.T, edit func(*story)) time.Duration {
	t.Helper()
	s := newStory(t)
	s.Log.Order = []string{"d3", "d2"}
	edit(s)
	s.isSilent()
	for begin := s.now; s.now.Sub(begin) < 10*time.Second; s.pass(100 * time.Millisecond) {
		if s.opened(Probe{}) {
			s.isCutOff()
		}
		if s.opened(let) {
			return s.now.Sub(begin)
		}
	}
	return 0
}

func TestWhoComesNextRelievesAnOwnerThatTheFirstDoesNot(t *testing.T) {
	first := later(t, func(s *story) { s.Log.Order = []string{"d2", "d3"} })
	next := later(t, func(*story) {})
	if first == 0 || next < first+time.Second || next > first+3*time.Second {
		t.Errorf("the first has it let go after %v, the next after %v", first, next)
	}
}

func TestWhoMustNotOwnTheGroupRelievesNobody(t *testing.T) {
	for name, edit := range map[string]func(*story){
		"it is not ready": func(s *story) { s.Ready = false },
		"it drains":       func(s *story) { s.Drains = true },
	} {
		t.Run(name, func(t *testing.T) {
			if after := later(t, edit); after != 0 {
				t.Errorf("it does after %v", after)
			}
		})
	}
}
