package sim

// Mutant is a part of the system that is switched off, to see that the simulation finds that.
type Mutant string

// The mutants.
const (
	Nothing     Mutant = ""
	Guard       Mutant = "guard"                  // a Backup that hears nobody asks nobody
	Epoch       Mutant = "epoch"                  // owners that do not hear each other know no epoch
	StallGuard  Mutant = "stall guard"            // a keeper that was frozen goes on as if nothing were
	Lifetime    Mutant = "lifetime"               // addresses that nobody renews stay
	Hold        Mutant = "hold"                   // a Backup's timer is never held
	GroupRule   Mutant = "group rule"             // each router moves alone
	AnswerFirst Mutant = "answer before yielding" // a claim does not wait for the owner's answer
	TieSpacing  Mutant = "tie spacing"            // all standbys have the same priority
)

func (w *world) without(m Mutant) bool { return w.layout.without == m }

// wrap returns a machine that lacks what the world's mutant lacks.
func wrap(_ *world, m machine) machine { return m }
