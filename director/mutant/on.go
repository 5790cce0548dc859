//go:build mutants

package mutant

import (
	"os"
	"strings"
	"sync"
	"time"
)

// lookEvery is how often the file is read: what asks, asks often.
const lookEvery = 200 * time.Millisecond

var current struct {
	sync.Mutex
	name string
	read time.Time
}

// On reports whether this process is that mutant now: whether the file that QUORATE_MUTANTS names has its
// name in it. A test switches mutants on and off in directors that run.
func On(name string) bool {
	current.Lock()
	defer current.Unlock()
	if now := time.Now(); now.Sub(current.read) > lookEvery {
		text, err := os.ReadFile(os.Getenv("QUORATE_MUTANTS"))
		if err != nil {
			text = nil
		}
		current.name, current.read = strings.TrimSpace(string(text)), now
	}
	return current.name == name
}
