//go:build mutants

package mutant

import (
	"os"
	"strings"
)

// On reports whether this process is that mutant now: whether the file that QUORATE_MUTANTS names has its
// name in it. A test switches mutants on and off in directors that run.
func On(name string) bool {
	text, err := os.ReadFile(os.Getenv("QUORATE_MUTANTS"))
	return err == nil && strings.TrimSpace(string(text)) == name
}
