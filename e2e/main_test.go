// Package e2e holds the tests of quorate's promises, end to end: real processes on real IPVS, broken
// as the field breaks them, judged by tools that quorate's authors did not write. Here is what
// schedulers, forwarding and checks do on the wire; package moves has who owns and who agrees, package
// wire what needs no IPVS.
package e2e

import (
	"testing"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/proof"
)

func TestMain(m *testing.M) { lab.Main(m) }

// run is [proof.Run].
func run(t lab.T, directors int, text, mutant string, p proof.Proof) {
	t.Helper()
	proof.Run(t, directors, text, mutant, p)
}

func sameTables(a *lab.Article, servers int) error { return proof.SameTables(a, servers) }

const ownedWithin = proof.OwnedWithin
