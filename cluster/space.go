package cluster

import (
	"fmt"
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

// space is how much room there was on a disk a moment ago. A disk that hangs is waited for by nobody but who looks.
type space struct {
	mu      sync.Mutex
	looking bool
	at      time.Time
	why     string
	free    func(dir string) (uint64, error) // tests; nil: the kernel says it
}

// Space says that there is hardly room on this node's disk, or is empty.
func (n *Node) Space() string {
	n.space.mu.Lock()
	defer n.space.mu.Unlock()
	if !n.space.looking && time.Since(n.space.at) > spaceEvery {
		n.space.looking = true
		go n.space.look(n.cfg.DataDir) // ends when the disk answers
	}
	return n.space.why
}

func (s *space) look(dir string) {
	ask := s.free
	if ask == nil {
		ask = freeOn
	}
	free, err := ask(dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looking, s.at, s.why = false, time.Now(), ""
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
	return fs.Bfree * uint64(fs.Bsize), nil
}
