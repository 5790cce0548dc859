package agent

import (
	"sync"
	"time"

	"github.com/quorate/quorate/director/accept"
)

// askAgain is how long a kernel that could not refuse packets is not asked again: each time it may look for a module.
const askAgain = 10 * time.Second

// refusals knows whether this host could keep packets to virtual addresses from itself. The keeper does it;
// a configuration is held against what is said here.
type refusals struct {
	mu     sync.Mutex
	can    bool
	reason string
	at     time.Time // when it was asked last
}

// why says why it could not, or is empty.
func (r *refusals) why(now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.can || !r.at.IsZero() && now.Sub(r.at) < askAgain {
		return r.reason
	}
	r.reason, r.at = "", now
	if err := trial(); err != nil {
		r.reason = err.Error()
	}
	r.can = r.reason == ""
	return r.reason
}

// trial asks the kernel. It changes nothing.
func trial() error {
	h := accept.New()
	defer h.Close()
	return h.Trial()
}
