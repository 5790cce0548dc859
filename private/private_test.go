package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree makes what its text says: a mode and a path each line, a folder's with a slash at its end.
func tree(t *testing.T, lines ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		_, name, _ := strings.Cut(l, " ")
		path := filepath.Join(dir, name)
		write := func() error { return os.WriteFile(path, nil, 0o600) }
		if strings.HasSuffix(name, "/") {
			write = func() error { return os.MkdirAll(path, 0o700) }
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range lines { // against the umask
		mode, name, _ := strings.Cut(l, " ")
		var m fs.FileMode
		for _, c := range mode {
			m = m<<3 | fs.FileMode(c-'0')
		}
		if m&0o1000 != 0 {
			m = m&0o777 | fs.ModeSticky
		}
		if err := os.Chmod(filepath.Join(dir, name), m); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// modes are the lines that [tree] would make a directory of.
func modes(t *testing.T, dir string, names ...string) []string {
	t.Helper()
	var out []string
	for _, name := range names {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		mode := []byte{}
		for _, shift := range []int{6, 3, 0} {
			mode = append(mode, '0'+byte(info.Mode().Perm()>>shift&7))
		}
		out = append(out, string(mode)+" "+name)
	}
	return out
}

func TestWhatOthersCouldGetAtIsClosedAndSaidOnce(t *testing.T) {
	dir := tree(t, "777 ./", "777 cluster/", "666 cluster/member.key", "777 cluster/snapshots/", "644 cluster/snapshots/state.bin", "666 keeper.json", "755 scripts/", "755 scripts/check")
	open, err := Dir(dir, "cluster", "cluster.*", "keeper.json")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"755 .", "700 cluster", "600 cluster/member.key", "700 cluster/snapshots", "600 cluster/snapshots/state.bin", "600 keeper.json", "755 scripts", "755 scripts/check"}
	if diff := cmp.Diff(want, modes(t, dir, ".", "cluster", "cluster/member.key", "cluster/snapshots", "cluster/snapshots/state.bin", "keeper.json", "scripts", "scripts/check")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := open.String(), dir+" (mode 0777) and 5 more: was open to other users, and is closed now"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if open, err := Dir(dir, "cluster", "cluster.*", "keeper.json"); err != nil || open.String() != "" {
		t.Errorf("a second time: %q, %v", open, err)
	}
}

func TestWhatCannotBeClosedIsSaid(t *testing.T) {
	var open Open
	open.add("a", 0o666, nil)
	open.add("b", 0o644, syscall.EROFS)
	if got, want := open.String(), "a (mode 0666) and 1 more: open to other users, and cannot be closed: read-only file system"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestWhatIsAsItShouldBeIsNoNews(t *testing.T) {
	for name, lines := range map[string][]string{
		"as quorate makes it":       {"700 ./", "700 cluster/", "600 cluster/member.key"},
		"in a folder that all see":  {"755 ./", "700 cluster/", "600 cluster/member.key"},
		"in a folder as /tmp":       {"1777 ./", "600 cluster"},
		"nothing yet":               {"755 ./"},
		"the files of somebody own": {"755 ./", "777 other/"},
	} {
		if open, err := Dir(tree(t, lines...), "cluster"); err != nil || open.String() != "" {
			t.Errorf("%s: %q, %v", name, open, err)
		}
	}
	if open, err := Dir(filepath.Join(t.TempDir(), "no"), "cluster"); err != nil || open.String() != "" {
		t.Errorf("no directory: %q, %v", open, err)
	}
}

// another gives a file, or all, to another user than the one that the test is.
func another(t *testing.T, path string) (self int) {
	t.Helper()
	self = os.Geteuid()
	if self != 0 {
		return self + 1
	}
	if err := os.Lchown(path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	return self
}

func TestWhatBelongsToAnotherIsRefusedAndLeftAsItIs(t *testing.T) {
	for _, name := range []string{".", "cluster", "cluster/member.key"} {
		dir := tree(t, "755 ./", "777 cluster/", "666 cluster/member.key")
		path := filepath.Join(dir, name)
		w := &walk{self: another(t, path), dir: dir, list: fs.ReadDir}
		_, err := w.run([]string{"cluster"})
		if !errors.Is(err, ErrForeign) || os.Geteuid() == 0 && !strings.HasPrefix(err.Error(), path+" belongs to user 12345,") || !strings.Contains(err.Error(), "`chown -hR ") {
			t.Errorf("%s of another: %v", name, err)
		}
	}
	dir := tree(t, "755 ./", "700 cluster/", "644 other")
	if os.Geteuid() == 0 {
		another(t, filepath.Join(dir, "other"))
	}
	if _, err := Dir(dir, "cluster"); err != nil {
		t.Errorf("what has nothing to do with it is another's: %v", err)
	}
}

// A folder that cannot be read, as on a disk that dies, hides neither what is open beside it nor whose that is.
func TestWhatCannotBeReadHidesNothing(t *testing.T) {
	dir := tree(t, "755 ./", "700 cluster/", "700 cluster/a/", "666 cluster/b", "666 cluster/c")
	ill := func(root fs.FS, name string) ([]fs.DirEntry, error) {
		if name == "cluster/a" {
			return nil, syscall.EIO
		}
		return fs.ReadDir(root, name)
	}
	w := &walk{self: os.Geteuid(), dir: dir, list: ill}
	open, err := w.run([]string{"cluster"})
	if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), filepath.Join(dir, "cluster/a")) {
		t.Errorf("%v", err)
	}
	if open.Path != filepath.Join(dir, "cluster/b") || open.More != 1 {
		t.Errorf("closed: %q", open)
	}
	w = &walk{self: another(t, filepath.Join(dir, "cluster/c")), dir: dir, list: ill}
	if _, err := w.run([]string{"cluster"}); !errors.Is(err, ErrForeign) {
		t.Errorf("another's behind it: %v", err)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	elsewhere := tree(t, "755 ./", "644 passwd", "755 etc/", "644 etc/hosts")
	dir := tree(t, "777 ./", "700 cluster/")
	for name, to := range map[string]string{"cluster/member.key": "passwd", "cluster/more": "etc", "cluster.join": "etc"} {
		if err := os.Symlink(filepath.Join(elsewhere, to), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if open, err := Dir(dir, "cluster", "cluster.*"); err != nil || open.Path != dir || open.More != 0 {
		t.Errorf("%q, %v", open, err)
	}
	if diff := cmp.Diff([]string{"755 .", "644 passwd", "755 etc", "644 etc/hosts"}, modes(t, elsewhere, ".", "passwd", "etc", "etc/hosts")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	behind := filepath.Join(t.TempDir(), "data") // the directory itself may be a link: an operator's disk
	if err := os.Symlink(dir, behind); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "cluster"), 0o755); err != nil {
		t.Fatal(err)
	}
	if open, err := Dir(behind, "cluster"); err != nil || open.Path != filepath.Join(behind, "cluster") || open.Still != nil {
		t.Errorf("through a link: %q, %v", open, err)
	}
}

func TestAFileThatAPersonNamedIsLeftAsItIs(t *testing.T) {
	dir := tree(t, "644 open", "600 closed", "640 group", "660 shared")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "open"), link); err != nil {
		t.Fatal(err)
	}
	group := "group (mode 0640) is open to other users"
	if os.Geteuid() == 0 { // what root lets a group read is so by intent
		group = ""
	}
	for _, tt := range []struct{ name, mode, says string }{
		{"open", "644", "open (mode 0644) is open to other users"},
		{"closed", "600", ""},
		{"group", "640", group},
		{"shared", "660", "shared (mode 0660) is open to other users"},
		{"link", "777", "link (mode 0644) is open to other users"},
	} {
		for range 2 {
			said := File(filepath.Join(dir, tt.name))
			if !strings.HasSuffix(said, tt.says) || (tt.says == "") != (said == "") {
				t.Errorf("%s: %q, want %q", tt.name, said, tt.says)
			}
		}
		if got := modes(t, dir, tt.name); got[0] != tt.mode+" "+tt.name {
			t.Errorf("%s: %s, want %s", tt.name, got[0], tt.mode)
		}
	}
	for _, path := range []string{filepath.Join(dir, "no"), "/dev/null"} {
		if said := File(path); said != "" {
			t.Errorf("no regular file: %q", said)
		}
	}
}
