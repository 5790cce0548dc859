package lab

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") && os.Getenv(envChild) == "" {
		fakeQuorate(os.Args[1:])
	}
	os.Exit(runTests(m, os.Getenv("QUORATE_LAB_ON_HOST") != "1", false))
}

func TestTheLabHasIPVSWithItsSchedulers(t *testing.T) {
	if !hasIPVS() {
		t.Skip("this kernel has no IPVS")
	}
	for _, module := range schedulers {
		name := strings.TrimPrefix(module, "ip_vs_")
		out, err := exec.Command("ipvsadm", "-A", "-t", "192.0.2.1:80", "-s", name).CombinedOutput()
		if err != nil {
			t.Errorf("scheduler %s: %v: %s", name, err, out)
		}
		exec.Command("ipvsadm", "-C").Run()
	}
}
