package scripts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unpackFakes fetch a package as a file of its name, and unpack it as another; there is no package absent.
var unpackFakes = map[string]string{
	"apt-get": `shift 3; [ "$1" = download ] || exit 9; shift; for p in "$@"; do [ "$p" != absent ] || exit 100; echo "$p" >"${p}_1_all.deb"; done`,
	"dpkg":    `[ "$1" = -x ] || exit 9; cp "$2" "$3/$(cat "$2")"`,
}

func TestUnpack(t *testing.T) {
	for _, tt := range []struct {
		name, without string
		args          []string
		status        int
		said          string
		left          []string // in the directory, beside which there is nothing
	}{
		{"all that is asked for", "", []string{"one", "two"}, 0, "", []string{"one", "two"}},
		{"one that there is not", "", []string{"one", "absent"}, 1, "could not fetch all of one absent", []string{"before"}},
		{"no apt", "apt-get", []string{"one"}, 3, "no apt-get here to get one with", []string{"before"}},
		{"no packages", "", nil, 2, "want a directory, and packages", []string{"before"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin, place := t.TempDir(), t.TempDir()
			for name, body := range unpackFakes {
				if name != tt.without {
					write(t, filepath.Join(bin, name), "#!/bin/sh\n"+body+"\n")
				}
			}
			for _, name := range []string{"sh", "cat", "cp", "dirname", "id", "mkdir", "mktemp", "mv", "rm"} {
				path, err := exec.LookPath(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
					t.Fatal(err)
				}
			}
			dir := filepath.Join(place, "dir")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "before"), "")
			cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"unpack", dir}, tt.args...)...)
			cmd.Env = []string{"PATH=" + bin}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			finish(t, cmd.Run())
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(out.String(), tt.said) {
				t.Errorf("status %d, want %d; it said %q, want %q in it", got, tt.status, out.String(), tt.said)
			}
			if beside := names(t, place); !slices.Equal(beside, []string{"dir"}) {
				t.Errorf("there is %q, want the directory alone", beside)
			}
			if left := names(t, dir); !slices.Equal(left, tt.left) {
				t.Errorf("in the directory is %q, want %q", left, tt.left)
			}
		})
	}
}

// names are those in a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries { // ReadDir sorts them
		all = append(all, e.Name())
	}
	return all
}
