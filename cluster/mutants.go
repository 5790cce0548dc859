//go:build mutants

package cluster

// AppendRaw puts an entry into the log that nobody has looked at: a test's poison.
func (n *Node) AppendRaw(entry []byte) error {
	return n.raft.Load().Apply(entry, n.cfg.patience()).Error()
}
