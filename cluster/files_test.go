package cluster

import (
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
