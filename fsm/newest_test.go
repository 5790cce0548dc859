//go:build !oldlevel

package fsm

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTheBuildOfTheLevelBefore runs the tests of the build that knows nothing of the newest level.
func TestTheBuildOfTheLevelBefore(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-tags=oldlevel", "-vet=off", "-count=1", "-v", "-run=TestAnOlderBinary", ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if n := strings.Count(string(out), "--- PASS: TestAnOlderBinary"); err != nil || n != 4 {
		t.Errorf("%d tests of it passed, want 4: %v\n%s", n, err, out)
	}
}
