package cluster

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A disk that is full is found by a write. The log's file has room inside of it, so that the one which needs more may be long in coming:
// it is looked at before somebody else leaves whose disk had some.

const (
	leastSpace = 1 << 20 // less holds neither a batch of entries nor a snapshot for sure
	spaceEvery = 2 * time.Second
)

// space is how much room there was on a disk a moment ago.
type space struct {
	mu   sync.Mutex
	why  string
	free func(dir string) (uint64, error) // tests; nil: the kernel says it
}

// Space says that there is hardly room on this node's disk, or is empty.
func (n *Node) Space() string {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	return n.space.why
}

// watchSpace looks at the disk until ctx ends. One that hangs is waited for by nobody but who looks.
func (n *Node) watchSpace(ctx context.Context) error {
	looking := make(chan struct{}, 1)
	tick := time.NewTicker(spaceEvery)
	defer tick.Stop()
	for {
		select {
		case looking <- struct{}{}:
			n.space.mu.Lock()
			ask := n.space.free
			n.space.mu.Unlock()
			if ask == nil {
				ask = freeOn
			}
			go func() { // ends when the disk answers
				n.space.look(n.cfg.DataDir, ask)
				<-looking
			}()
		default:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *space) look(dir string, ask func(dir string) (uint64, error)) {
	free, err := ask(dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.why = ""
	if err == nil && free < leastSpace {
		s.why = fmt.Sprintf("only %d KiB are free on the disk of %s: soon nothing can be written there, and it cannot lead then; make room", free>>10, dir)
	}
}

// freeOn is how many bytes root can write on the disk of a directory.
func freeOn(dir string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return freeOf(fs), nil
}

// freeOf is how many bytes a file system says it has room for. One without a size, as a tmpfs may be, does not say.
func freeOf(fs unix.Statfs_t) uint64 {
	switch {
	case fs.Blocks == 0:
		return math.MaxUint64
	case fs.Frsize != 0:
		return fs.Bfree * uint64(fs.Frsize)
	}
	return fs.Bfree * uint64(fs.Bsize)
}
