package proof

import (
	"os"
	"strconv"
)

// What `make proofs` sets.
const (
	// EnvLong has the proofs, if it is set, take the time that the promises name.
	EnvLong = "QUORATE_PROOFS"
	// EnvRounds is how many rounds of all that is planned are made.
	EnvRounds = "QUORATE_ROUNDS"
)

// Long is short, or long where all the time is there.
func Long[T any](short, long T) T {
	if os.Getenv(EnvLong) != "" {
		return long
	}
	return short
}

// Rounds is how many rounds are made, or few where nothing is said.
func Rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv(EnvRounds)); err == nil {
		return n
	}
	return few
}
