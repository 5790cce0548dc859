//go:build mutants

package agent

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// mutate puts an entry that cannot be decoded into the log, once, when the leader's data directory
// has a file named poison.
func (s *session) mutate(ctx context.Context) error {
	for sleep(ctx, 100*time.Millisecond) {
		path := filepath.Join(s.cfg.DataDir, "poison")
		if _, err := os.Stat(path); err == nil && s.node.IsLeader() {
			s.log.Warn("poison", "err", s.node.AppendRaw([]byte("poison")))
			return os.Remove(path)
		}
	}
	return nil
}
