package proof

import "os"

// EnvLong, if it is set, has the proofs take the time and the rounds that the promises name: `make proofs`.
const EnvLong = "QUORATE_PROOFS"

// Long is short, or long where all the time is there.
func Long[T any](short, long T) T {
	if os.Getenv(EnvLong) != "" {
		return long
	}
	return short
}
