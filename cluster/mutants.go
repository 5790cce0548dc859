//go:build mutants

package cluster

import "sync/atomic"

// Unscrubbed has states not be added up anew: a test's control.
var Unscrubbed atomic.Bool

func unscrubbed() bool { return Unscrubbed.Load() }

// Flip flips a bit in the memory of the state, where nothing looks: in what is remembered of the last revision.
func (n *Node) Flip() {
	past := n.State().History
	last := &past[len(past)-1]
	text := []byte(last.Summary)
	text[0] ^= 1
	last.Summary = string(text)
}

// AppendRaw puts an entry into the log that nobody has looked at: a test's poison.
func (n *Node) AppendRaw(entry []byte) error {
	return n.raft.Load().Apply(entry, n.cfg.patience()).Error()
}
