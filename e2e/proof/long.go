package proof

import "os"

// EnvLong has the proofs, if it is set, take the time and the rounds that the promises name: `make proofs`.
const EnvLong = "QUORATE_PROOFS"

// Long is short, or long where all the time is there.
func Long[T any](short, long T) T {
	if os.Getenv(EnvLong) != "" {
		return long
	}
	return short
}
