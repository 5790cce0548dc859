package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain is the program itself for a test that runs it.
func TestMain(m *testing.M) {
	if os.Getenv("QUORATE_DEMO_TEST") == "1" {
		main()
	}
	os.Exit(m.Run())
}

func TestTheShellSaysThatItNeedsATerminal(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "--shell")
	cmd.Env = append(os.Environ(), "QUORATE_DEMO_TEST=1")
	cmd.Stdin = strings.NewReader("d1 quorate status\n")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "needs a terminal") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v: %q", err, out)
	}
}
