// Package holds runs the proofs of package moves with the product, one after the other on one cluster.
package holds

import (
	"testing"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/moves"
	"github.com/quorate/quorate/e2e/proof"
)

func TestMain(m *testing.M) { lab.Main(m) }

func TestWhatHappensToTheOwnerRequestsGoOn(t *testing.T) {
	proof.Series(t, 3, moves.File, moves.MachineDies, moves.LinkDown, moves.Rounds, moves.Tables, moves.Foreign,
		moves.NoResets, moves.ControlKilled, moves.Recovery)
}

func TestAStopWhereNothingIsAgreedBreaksNoYoungConnection(t *testing.T) {
	moves.StopsUnagreed(t, lab.NewArticle(t, 3))
}
