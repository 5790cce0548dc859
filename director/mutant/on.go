//go:build mutants

package mutant

import "os"

// On reports whether this process is that mutant, by the environment.
func On(name string) bool { return os.Getenv("QUORATE_MUTANT") == name }
