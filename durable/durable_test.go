package durable

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

// names returns what is in a folder.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsReplacedWhole(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, path string)
	}{
		{"there was none", func(*testing.T, string) {}},
		{"there was a longer one, for all to read", func(t *testing.T, path string) { put(t, path, strings.Repeat("old", 9), 0o644) }},
		{"a writer before was killed", func(t *testing.T, path string) { put(t, path+".new", strings.Repeat("half", 9), 0o644) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "f")
			tt.prepare(t, path)
			if err := Write(path, []byte("new"), 0o600); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil || string(b) != "new" {
				t.Errorf("it is %q, %v", b, err)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("its mode is %v, %v", info.Mode(), err)
			}
			if diff := cmp.Diff([]string{"f"}, names(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhoReadsTheOldFileGoesOnReadingIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	put(t, path, "old", 0o600)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 3)
	if _, err := f.Read(b); err != nil || string(b) != "old" {
		t.Errorf("it reads %q, %v", b, err)
	}
}

func TestAWriteThatFailsLeavesTheOldFileAndNothingElse(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, dir string) error
		want error
		left []string
	}{
		{"no folder", func(_ *testing.T, dir string) error { return Write(filepath.Join(dir, "no", "f"), nil, 0o600) }, fs.ErrNotExist, []string{"f"}},
		{"the disk takes no more", func(t *testing.T, dir string) error {
			full(t)
			return Write(filepath.Join(dir, "f"), make([]byte, 1<<12), 0o600)
		}, syscall.EFBIG, []string{"f"}},
		{"a folder has its place", func(t *testing.T, dir string) error {
			if err := os.MkdirAll(filepath.Join(dir, "d", "x"), 0o700); err != nil {
				t.Fatal(err)
			}
			return Write(filepath.Join(dir, "d"), nil, 0o600)
		}, syscall.EEXIST, []string{"d", "f"}},
		{"a folder has the place of what is written first", func(t *testing.T, dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "f.new"), 0o700); err != nil {
				t.Fatal(err)
			}
			return Write(filepath.Join(dir, "f"), nil, 0o600)
		}, syscall.EISDIR, []string{"f", "f.new"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, filepath.Join(dir, "f"), "old", 0o600)
			if err := tt.do(t, dir); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != "old" {
				t.Errorf("the file is %q, %v", b, err)
			}
			if diff := cmp.Diff(tt.left, names(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// full makes every write beyond the first KiB of a file fail, as a disk that is full does.
func full(t *testing.T) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 10, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was) })
}
