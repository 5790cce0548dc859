// Package dist holds what `make install` installs beside the binary: systemd units, users and an example
// of the agent file. It is tested here, in a directory that stands for the root of a machine.
package dist

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/config"
)

func TestTheExampleAgentFileIsValid(t *testing.T) {
	src, err := os.ReadFile("agent.hcl")
	if err != nil {
		t.Fatal(err)
	}
	agent, problems := config.ParseAgent("agent.hcl", src)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := map[string]string{"wan": "eth0", "lan": "eth1"}
	if diff := cmp.Diff(want, agent.Interfaces); diff != "" {
		t.Errorf("interfaces (-want +got):\n%s", diff)
	}
	if got := agent.Bind.String(); got != "192.0.2.1:7400" {
		t.Errorf("bind = %s, want 192.0.2.1:7400", got)
	}
}

// runMake runs a target of the Makefile for the machine whose root is root, with a program that stands
// for the binary.
func runMake(t *testing.T, target, root string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "quorate")
	write(t, binary, "binary")
	cmd := exec.CommandContext(t.Context(), "make", "-C", "..", target, "DESTDIR="+root, "PREFIX=/usr", "BIN="+binary)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files returns the files below root with their modes.
func files(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			found[strings.TrimPrefix(path, root)] = info.Mode().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInstallMayBeRunTwiceAndUninstallKeepsTheConfiguration(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a root") // with a blank, which quoting must survive
	runMake(t, "install", root)
	want := map[string]string{
		"/usr/bin/quorate":                               "-rwxr-xr-x",
		"/usr/lib/systemd/system/quorate.service":        "-rw-r--r--",
		"/usr/lib/systemd/system/quorate-keeper.service": "-rw-r--r--",
		"/usr/lib/sysusers.d/quorate.conf":               "-rw-r--r--",
		"/usr/share/doc/quorate/agent.hcl":               "-rw-r--r--",
		"/etc/quorate/agent.hcl":                         "-rw-------",
	}
	if diff := cmp.Diff(want, files(t, root)); diff != "" {
		t.Fatalf("installed (-want +got):\n%s", diff)
	}
	for _, unit := range []string{"quorate.service", "quorate-keeper.service"} {
		text, err := os.ReadFile(filepath.Join(root, "usr/lib/systemd/system", unit))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "\nExecStart=/usr/bin/quorate ") || strings.Contains(string(text), "@BINDIR@") {
			t.Errorf("%s does not start /usr/bin/quorate", unit)
		}
	}

	edited := filepath.Join(root, "etc/quorate/agent.hcl")
	write(t, edited, "edited")
	runMake(t, "install", root)
	if diff := cmp.Diff(want, files(t, root)); diff != "" {
		t.Errorf("installed twice (-want +got):\n%s", diff)
	}
	if text, _ := os.ReadFile(edited); string(text) != "edited" {
		t.Errorf("the second install overwrote agent.hcl with:\n%s", text)
	}

	for range 2 {
		runMake(t, "uninstall", root)
		if diff := cmp.Diff(map[string]string{"/etc/quorate/agent.hcl": "-rw-------"}, files(t, root)); diff != "" {
			t.Errorf("after uninstall (-want +got):\n%s", diff)
		}
	}
}
