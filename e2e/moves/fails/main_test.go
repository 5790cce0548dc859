// Package fails holds the controls of package moves: each of its proofs fails where its promise is switched off. Each
// runs the build in which that can be.
package fails

import (
	"testing"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/moves"
	"github.com/quorate/quorate/e2e/proof"
)

func TestMain(m *testing.M) { lab.Main(m) }

func TestEachProofFailsWithoutItsPromise(t *testing.T) {
	proof.Controls(t, 3, moves.File,
		proof.Broken{Mutant: mutant.NoStandby, Step: moves.MachineDies, Because: `both addresses are with one other director: .*: nobody has either`},
		proof.Broken{Mutant: mutant.LoneRouters, Step: moves.LinkDown, Because: `both addresses are with one other director: .*outer: (d1, inner: d[23]|d2, inner: d[13]|d3, inner: d[12])`},
		proof.Broken{Mutant: mutant.DeafTables, Step: moves.Tables, Because: `the change made on d1 is everywhere: .*no "-r`},
		proof.Broken{Mutant: mutant.BreakFirst, Step: moves.Drain, Because: `requests lost: \d+ requests, \d\d+ failed|connections broken: 50 connections, \d\d broken`},
		proof.Broken{Mutant: mutant.LoneGuard, Step: moves.NoResets, Because: "without control: a flow .* was reset"},
		proof.Broken{Mutant: mutant.OneProcess, Step: moves.ControlKilled, Because: `requests lost: \d+ requests, \d\d+ failed`},
		proof.Broken{Mutant: mutant.FlushTables, Step: moves.NoQuorum, Because: `without quorum: .*answered by \n|the table changed`},
		proof.Broken{Mutant: mutant.PoisonEnds, Step: moves.Poisoned, Because: `that it cannot apply the entry: .*no agent has the socket`},
	)
}

// That proof needs this build too, since no other lets a poisoned entry into its log; nothing is switched off.
func TestAPoisonedEntryStopsNobody(t *testing.T) {
	proof.Run(t, 3, moves.File, "poison", moves.Poisoned.Proof)
}
