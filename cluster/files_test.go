package cluster

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestALockThatIsReleasedIsFreeThoughAProgramIsBeingStarted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	forked, err := unix.Dup(int(l.f.Fd())) // as a child has it until it executes its program
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(forked)
	if _, err := takeLock(dir); err == nil {
		t.Error("it was taken twice")
	}
	if err := l.release(); err != nil {
		t.Fatal(err)
	}
	again, err := takeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.release(); err != nil {
		t.Error(err)
	}
}

func TestSnapshotsAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	dir := filepath.Join(a.cfg.DataDir, liveDir, "snapshots")
	look := func() (files int) {
		t.Helper()
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the mode %v", path, info.Mode())
			}
			if !d.IsDir() {
				files++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	eventually(t, "there is something to keep", func() error { return a.raft.Load().Snapshot().Error() })
	if look() == 0 {
		t.Error("there is no snapshot")
	}
	a.end()
	if err := os.Chmod(dir, 0o755); err != nil { // an older version made it
		t.Fatal(err)
	}
	a = start(t, a.cfg)
	look()
}
