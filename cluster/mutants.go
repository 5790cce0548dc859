//go:build mutants

package cluster

import "os"

// unsynced has the log not be synced: a test's control.
var unsynced = os.Getenv("QUORATE_UNSYNCED") == "1"

// AppendRaw puts an entry into the log that nobody has looked at: a test's poison.
func (n *Node) AppendRaw(entry []byte) error {
	return n.raft.Load().Apply(entry, n.cfg.patience()).Error()
}
