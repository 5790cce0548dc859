package cluster

import (
	"bytes"
	"errors"
	"slices"

	"github.com/hashicorp/memberlist"

	"github.com/quorate/quorate/fsm"
)

// gossipKeys are the keys by which a member gossips: it sends with the first, and takes all.
func gossipKeys(s fsm.Secrets) [][]byte {
	var keys [][]byte
	for _, key := range [][]byte{s.GossipKey, s.GossipNext, s.GossipFormer} {
		if len(key) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

// turnRing makes a keyring that is in use hold these keys, and send with the first.
func turnRing(ring *memberlist.Keyring, keys [][]byte) error {
	var errs []error
	for _, key := range keys {
		errs = append(errs, ring.AddKey(key))
	}
	errs = append(errs, ring.UseKey(keys[0]))
	for _, key := range ring.GetKeys() {
		if !slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) }) {
			errs = append(errs, ring.RemoveKey(key))
		}
	}
	return errors.Join(errs...)
}

// turnRing makes this node gossip by the keys that its state has. It is called whenever that may have changed, and waits
// for nobody: a member that cannot be reached delays no rotation.
func (n *Node) turnRing() {
	n.turning.Lock()
	defer n.turning.Unlock()
	ring, keys := n.ring.Load(), gossipKeys(n.State().Secrets())
	if ring == nil || len(keys) == 0 {
		return
	}
	if err := turnRing(ring, keys); err != nil {
		n.log.Error("gossip keys not changed", "err", err)
	}
}

// ringIDs are the IDs of the keys that this node gossips by, of the one that it sends with first. None before it gossips.
func (n *Node) ringIDs() []string {
	ring := n.ring.Load()
	if ring == nil {
		return nil
	}
	var ids []string
	for _, key := range ring.GetKeys() { // the one that is used is the first
		ids = append(ids, fsm.KeyID(key))
	}
	return ids
}
