package cluster

import (
	"errors"
	"math"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Who has hardly room on its disk says so, and does not count for what is left when another leaves; what was free again counts at once.
func TestWhoHasNoRoomDoesNotCountWhenAnotherLeaves(t *testing.T) {
	t.Parallel()
	ns := three(t)
	room := func(free uint64, ns ...*testnode) {
		t.Helper()
		for _, n := range ns {
			n.space.mu.Lock()
			n.space.free = func(string) (uint64, error) { return free, nil }
			n.space.mu.Unlock()
			eventually(t, n.cfg.Name+" has looked", func() error {
				if why := n.Space(); (free < leastSpace) != strings.Contains(why, "only 9 KiB are free on the disk of "+n.cfg.DataDir) {
					return errors.New(why)
				}
				return nil
			})
		}
	}
	if err := ns[0].MayLeave(t.Context(), false); err != nil {
		t.Fatalf("a may leave: %v", err)
	}
	room(9<<10, ns[1])
	if err := ns[0].MayLeave(t.Context(), false); !errors.Is(err, ErrQuorumAtRisk) || !strings.Contains(err.Error(), "without a it has 2 voters and needs 2 of them, but only 1 can write for sure (b: only 9 KiB") {
		t.Errorf("a leaves two of which one has no room: %v", err)
	}
	if err := ns[0].MayRemove(t.Context(), "b"); err != nil {
		t.Errorf("who has no room can be removed: %v", err)
	}
	if err := ns[0].MayLeave(t.Context(), true); err != nil {
		t.Errorf("forced: %v", err)
	}
	room(leastSpace, ns[1])
	if err := ns[0].MayLeave(t.Context(), false); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// A file system that has no size does not say that it is full, and blocks are counted in its own unit.
func TestTheRoomOfAFileSystem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fs   unix.Statfs_t
		want uint64
	}{
		"no size":   {unix.Statfs_t{Bsize: 4096}, math.MaxUint64},
		"full":      {unix.Statfs_t{Bsize: 4096, Blocks: 9}, 0},
		"blocks":    {unix.Statfs_t{Bsize: 4096, Blocks: 9, Bfree: 3}, 3 * 4096},
		"fragments": {unix.Statfs_t{Bsize: 1 << 20, Frsize: 4096, Blocks: 9, Bfree: 3}, 3 * 4096},
	} {
		if got := freeOf(c.fs); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
