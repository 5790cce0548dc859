package interop

import (
	"flag"
	"os/exec"
	"strconv"
	"testing"

	"github.com/quorate/quorate/e2e/lab"
)

// cellsAtOnce is how many cells run at the same time. They mostly wait, so that it is not a matter of cores;
// more would disturb each other's timing.
const cellsAtOnce = 6

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", strconv.Itoa(cellsAtOnce)); err != nil { // before the command line, which may say otherwise
		panic(err)
	}
	lab.MainHost(m)
}

// needs skips a test for which a program is missing, by the name of its package.
func needs(t *testing.T, peers ...Peer) {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("needs the package tshark, which is not installed")
	}
	for _, p := range peers {
		program := "keepalived"
		if p == FRR {
			program = frrDir + "vrrpd"
		}
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs the package %s, which is not installed", p)
		}
	}
}

// stands is what all tests of this process draw from.
var stands Drawing

func newStand(t *testing.T, c Cell) *Stand {
	t.Helper()
	return stands.NewStand(t, c)
}
