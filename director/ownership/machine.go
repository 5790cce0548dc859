package ownership

import (
	"time"
)

// Machine is what one director does about the ownership of one group, beside VRRP: it carries out the moves
// that the log wants to it, guards a Backup that hears nobody, claims from the dead before the timer does,
// settles with another owner that it does not hear, and answers what other directors ask. It does no I/O,
// starts no goroutine and reads no clock.
//
// What it does goes on side by side, each in a file of its own: take.go, quiet.go, dead.go, contest.go and
// answer.go. What is waited for is a func that is called with the outcome.
type Machine struct {
	last    uint64 // ID
	waiting map[uint64]func(*step, Done)
	timers  []timer
}

type timer struct {
	at time.Time
	do func(*step)
}

// step is one Step: what is known in it, and what came out so far.
type step struct {
	*Machine
	Facts
	now     time.Time
	actions []Action
}

// NewMachine returns a machine that knows nothing yet.
func NewMachine() *Machine { return &Machine{waiting: map[uint64]func(*step, Done){}} }

// Deadline returns when the machine wants to Look though no fact has changed; zero for never.
func (m *Machine) Deadline() time.Time { return time.Time{} }

// Step advances the machine by one event at time now, with what is known then, and returns what is to be done.
func (m *Machine) Step(now time.Time, f Facts, ev Event) []Action { return nil }
