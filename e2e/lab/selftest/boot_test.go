package selftest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func TestMain(m *testing.M) {
	lab.Child()
	if script := os.Getenv(envScript); script != "" {
		status, _ := lab.Boot(context.Background(), shell(script))
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// envScript makes the test binary boot a guest that runs it, for a test to kill.
const envScript = "QUORATE_SELFTEST_SCRIPT"

// boots are the two ways to start a lab.
var boots = map[string]func(context.Context, lab.Guest) (int, error){"guest": lab.Boot, "host": lab.BootHost}

func boot(t *testing.T, name string, g lab.Guest) (status int, stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	g.Stdout, g.Stderr = &out, &errs
	t.Setenv(lab.EnvForceGuest, "1")
	t.Setenv(lab.EnvArtifacts, t.TempDir())
	status, err = boots[name](t.Context(), g)
	if errors.Is(err, lab.ErrNoGuest) && os.Getenv(lab.EnvRequireGuest) != "1" && name == "guest" && os.Getenv("PATH") != "" {
		t.Skip(err)
	}
	return status, out.String(), errs.String(), err
}

func shell(script string) lab.Guest {
	return lab.Guest{Program: "/bin/sh", Args: []string{"-c", script}}
}

func TestStatusAndOutputComeBackAsTheyWere(t *testing.T) {
	for name := range boots {
		t.Run(name, func(t *testing.T) {
			g := shell(`printf 'one\ttwo\n\033[1mthree'; echo "oops $WORD" >&2; exit 42`)
			g.Env = []string{"WORD=indeed"}
			status, out, errs, err := boot(t, name, g)
			if err != nil || status != 42 || out != "one\ttwo\n\033[1mthree" || errs != "oops indeed\n" {
				t.Errorf("status %d, output %q, %q, error %v", status, out, errs, err)
			}
		})
	}
}

func TestMuchOutputIsWhole(t *testing.T) {
	for name := range boots {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, out, _, err := boot(t, name, shell("seq 1 100000"))
			if lines := strings.Count(out, "\n"); err != nil || lines != 100000 || !strings.HasSuffix(out, "\n100000\n") {
				t.Errorf("%d lines, error %v", lines, err)
			}
			t.Logf("%d bytes in %v", len(out), time.Since(start))
		})
	}
}

func TestADirectoryIsSharedAndTheRestIsNot(t *testing.T) {
	dir := t.TempDir()
	g := shell("echo kept > " + dir + "/file; echo lost > /tmp/quorate-lab-lost; echo lost > /etc/quorate-lab-lost; test -s /etc/quorate-lab-lost")
	g.Share = map[string]string{dir: dir}
	if status, _, errs, err := boot(t, "guest", g); err != nil || status != 0 {
		t.Errorf("status %d, %q, %v", status, errs, err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(text) != "kept\n" {
		t.Errorf("the shared file: %q, %v", text, err)
	}
	for _, path := range []string{"/tmp/quorate-lab-lost", "/etc/quorate-lab-lost"} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s came out of the guest", path)
		}
	}
}

func TestAHangingProgramIsKilledWithAllThatIsItsOwn(t *testing.T) {
	for name := range boots {
		t.Run(name, func(t *testing.T) {
			mark := "31" + time.Now().Format("150405")
			g := shell("setsid sleep " + mark + " & sleep " + mark)
			g.Timeout = 4 * time.Second
			start := time.Now()
			_, _, _, err := boot(t, name, g)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 15*time.Second {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			time.Sleep(100 * time.Millisecond)
			if out, _ := exec.Command("pgrep", "-f", "sleep "+mark).Output(); len(out) > 0 {
				t.Errorf("left over: %s", out)
			}
		})
	}
}

func TestAGuestDiesWithItsStarter(t *testing.T) {
	if _, err := exec.LookPath("linux.uml"); err != nil {
		t.Skip(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envScript+"=sleep 30", lab.EnvForceGuest+"=1", "TMPDIR="+dir, lab.EnvArtifacts+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running := func() string {
		out, _ := exec.Command("pgrep", "-f", "uml_dir="+dir).Output()
		return string(out)
	}
	for end := time.Now().Add(30 * time.Second); running() == ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Error("no guest runs")
			break
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	for end := time.Now().Add(5 * time.Second); running() != ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("left over: %s", running())
		}
	}
}

func TestWithoutAGuestTheErrorSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", "")
	_, _, _, err := boot(t, "guest", shell("true"))
	if !errors.Is(err, lab.ErrNoGuest) || !strings.Contains(err.Error(), "package user-mode-linux") || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("error: %v", err)
	}
}
