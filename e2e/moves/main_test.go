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
	proof.Series(t, 3, echoFile, machineDies, linkDown, drain, leave, tables, foreign, controlKilled, noQuorum)
}

func TestAPoisonedEntryStopsNobody(t *testing.T) {
	proof.Run(t, 3, echoFile, "poison", poisoned.Proof) // a build that lets it in; nothing is switched off
}

func TestEachProofFailsWithoutItsPromise(t *testing.T) {
	proof.Controls(t, 3, echoFile,
		proof.Broken{Mutant: mutant.NoStandby, Step: machineDies},
		proof.Broken{Mutant: mutant.LoneRouters, Step: linkDown},
		proof.Broken{Mutant: mutant.BreakFirst, Step: drain},
		proof.Broken{Mutant: mutant.BreakFirst, Step: leave},
		proof.Broken{Mutant: mutant.DeafTables, Step: tables},
		proof.Broken{Mutant: mutant.OneProcess, Step: controlKilled, Anew: true},
		proof.Broken{Mutant: mutant.FlushTables, Step: noQuorum},
		proof.Broken{Mutant: mutant.PoisonEnds, Step: poisoned},
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
