// Package moves holds the proofs of who owns an address and who agrees, on real IPVS: an owner that dies,
// is drained or leaves, a change on any director, a quorum or a control that is gone.
package moves

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/e2e/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// poison puts an entry that cannot be decoded into the log of all directors.
func poison(t lab.T, a *lab.Article) {
	t.Helper()
	for _, d := range a.Directors {
		if err := os.WriteFile(filepath.Join(d.DataDir(), "poison"), nil, 0o600); err != nil {
			t.Fatalf("%v", err)
		}
	}
}
