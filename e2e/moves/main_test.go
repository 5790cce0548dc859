// Package moves holds the proofs of who owns an address and who agrees, on real IPVS: an owner that dies,
// is drained or leaves, a change on any director, a quorum or a control that is gone.
package moves

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

func TestMain(m *testing.M) { lab.Main(m) }

func TestWhatHappensToTheOwnerRequestsGoOn(t *testing.T) {
	steps := []proof.Step{machineDies, linkDown, drain, leave, tables, foreign, controlKilled, noQuorum}
	if roundsMade > 0 {
		steps = append([]proof.Step{rounds}, steps...)
	}
	proof.Series(t, 3, echoFile, steps...)
}

func TestAPoisonedEntryStopsNobody(t *testing.T) {
	proof.Run(t, 3, echoFile, "poison", poisoned.Proof) // a build that lets it in; nothing is switched off
}

func TestEachProofFailsWithoutItsPromise(t *testing.T) {
	proof.Controls(t, 3, echoFile,
		proof.Broken{Mutant: mutant.NoStandby, Step: machineDies, Because: "both addresses are with one other director"},
		proof.Broken{Mutant: mutant.LoneRouters, Step: linkDown, Because: "outer: d., inner: d."},
		proof.Broken{Mutant: mutant.BreakFirst, Step: drainYoung, Because: "requests lost|connections broken"},
		proof.Broken{Mutant: mutant.DeafTables, Step: tables, Because: "the change made on"},
		proof.Broken{Mutant: mutant.OneProcess, Step: controlKilled, Because: "requests lost", Anew: true},
		proof.Broken{Mutant: mutant.FlushTables, Step: noQuorum, Because: "without quorum: |the table changed"},
		proof.Broken{Mutant: mutant.PoisonEnds, Step: poisoned, Because: "that it cannot apply the entry"},
	)
}

// poison puts an entry that cannot be decoded into the log of all directors.
func poison(t lab.T, a *lab.Article) {
	t.Helper()
	for _, d := range a.Directors {
		if err := os.WriteFile(filepath.Join(d.DataDir(), "poison"), nil, 0o600); err != nil {
			t.Fatalf("%v", err)
		}
	}
}
