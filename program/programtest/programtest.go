// Package programtest makes the files of tests that run programs as another user.
package programtest

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Dir returns a directory that everybody may enter. It goes with the test.
func Dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "quorate-test-") // t.TempDir's parent may be closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Executable writes a file that everybody may run.
func Executable(t *testing.T, path string, text []byte) {
	t.Helper()
	// A child that another test forks meanwhile would hold the file open for writing: text file busy.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
}

// Shell writes a shell script and returns its path.
func Shell(t *testing.T, body string) string {
	t.Helper()
	name := filepath.Join(Dir(t), "program")
	Executable(t, name, []byte("#!/bin/sh\n"+body+"\n"))
	return name
}

// Drop returns a file that everybody may write to.
func Drop(t *testing.T) string {
	t.Helper()
	name := filepath.Join(Dir(t), "out")
	if err := os.WriteFile(name, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o666); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return name
}
