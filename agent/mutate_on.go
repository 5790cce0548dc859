//go:build mutants

package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/director/mutant"
	"github.com/quorate/quorate/fsm"
)

// mutate puts an entry that cannot be decoded into the log, once, when the leader's data directory
// has a file named poison, and flips a bit in memory when there is one named flip.
func (s *session) mutate(ctx context.Context) error {
	early := false
	for sleep(ctx, 100*time.Millisecond) {
		if !early && mutant.On(mutant.EarlyLevel) && s.node.IsLeader() && s.node.State().Level < fsm.Newest {
			entry, err := fsm.Encode(fsm.DropKey{What: fsm.RotatesGossip, Of: "early"})
			s.log.Warn("early level", "err", errors.Join(err, s.node.AppendRaw(entry)))
			early = true
		}
		cluster.Unscrubbed.Store(mutant.On(mutant.NoScrub))
		if os.Remove(filepath.Join(s.cfg.DataDir, "flip")) == nil {
			s.node.Flip()
		}
		path := filepath.Join(s.cfg.DataDir, "poison")
		if _, err := os.Stat(path); err == nil && s.node.IsLeader() {
			s.log.Warn("poison", "err", s.node.AppendRaw([]byte("poison")))
			return os.Remove(path)
		}
	}
	return nil
}
