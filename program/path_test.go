package program

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/program/programtest"
)

func TestAProgramIsRefusedWithTheComponentAtFault(t *testing.T) {
	t.Parallel()
	root := os.Geteuid() == 0
	dir := programtest.Dir(t)
	make := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		return path
	}
	good := make("good", 0o755, "#!/bin/sh\n")
	for name, mode := range map[string]os.FileMode{"closed": 0o700, "open": 0o777, "sticky": 0o777 | os.ModeSticky} {
		make(name+"/check", 0o755, "#!/bin/sh\n")
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"link": "good", "dead": "nowhere", "loop": "loop", "away": "open", "over": "../" + filepath.Base(dir) + "/./good"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	alien := make("alien", 0o755, "#!/bin/sh\n")
	group := make("group", 0o775, "#!/bin/sh\n")
	if root {
		if err := os.Chown(alien, 65534, 0); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(group, 0, 65534); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, path, want string // want: "" or what the error ends with; DIR is the directory
		root             bool   // only an agent that is root minds
	}{
		{"a good one", good, "", false},
		{"a program", "/bin/true", "", false},
		{"a link to a good one", dir + "/link", "", false},
		{"a link that goes up", dir + "/over", "", false},
		{"a good one in a sticky directory", dir + "/sticky/check", "", false},
		{"relative", "good", "path is not absolute", false},
		{"missing", dir + "/none", "DIR/none: no such file or directory", false},
		{"missing directory", dir + "/a/b/c", "DIR/a: no such file or directory", false},
		{"a file for a directory", dir + "/good/check", "DIR/good: not a directory", false},
		{"a dead link", dir + "/dead", "DIR/nowhere: no such file or directory", false},
		{"a loop", dir + "/loop", "DIR/loop: a symbolic link that leads nowhere", false},
		{"a directory", dir, "DIR: not a regular file", false},
		{"not executable", make("plain", 0o644, ""), "DIR/plain: not executable (mode 0644)", false},
		{"no interpreter", make("snake", 0o755, "#!/usr/bin/snake -x\n"), "interpreter /usr/bin/snake: /usr/bin/snake: no such file or directory", false},
		{"closed to the user", make("private", 0o700, ""), "DIR/private: USER may not execute it (mode 0700)", true},
		{"a directory closed to the user", dir + "/closed/check", "DIR/closed: USER may not enter this directory (mode 0700)", true},
		{"writable by others", make("loose", 0o757, ""), "DIR/loose: writable by others (mode 0757)", true},
		{"writable by a group", group, "DIR/group: writable by group 65534 (mode 0775)", true},
		{"another's", alien, "DIR/alien: belongs to user 65534, not to root", true},
		{"in a directory writable by others", dir + "/open/check", "DIR/open: writable by others (mode 0777)", true},
		{"through a link to such a directory", dir + "/away/check", "DIR/open: writable by others (mode 0777)", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root && !root {
				t.Skip("needs root")
			}
			u := unprivileged(t)
			want := strings.NewReplacer("DIR", dir, "USER", u.Name).Replace(tt.want)
			err := Check(tt.path, u)
			if got := fmt.Sprint(err); (err == nil) != (want == "") || err != nil && got != want {
				t.Errorf("Check(%q) = %v, want %q", tt.path, err, want)
			}
		})
	}
}
