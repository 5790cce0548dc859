package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/quorate/quorate/cluster/hush"
	"github.com/quorate/quorate/cluster/port"
)

// rejoinEvery is how often members that gossip does not know are greeted: it forgets who was away
// for long.
const rejoinEvery = 5 * time.Second

// gossipEvery is how often a member is asked whether it is there, and told what is new: nobody waits for either, and each
// wakes two.
const gossipEvery = 3 * time.Second

// about is what a member gossips of itself: at most 512 bytes, beyond which memberlist panics.
type about struct {
	Name     string `json:"n"`
	Version  string `json:"v"`
	MinLevel int    `json:"l"`
	MaxLevel int    `json:"h"`
}

// gossips keeps this node in the gossip until ctx ends. Gossip moves nothing by itself: it only says
// who seems to be alive.
func (n *Node) gossips(ctx context.Context) error {
	news := make(chan struct{}, 1)
	defer n.keyNews.add(news)()
	var list *memberlist.Memberlist
	defer func() {
		if list != nil {
			n.gossip.Store(nil)
			if err := list.Shutdown(); err != nil {
				n.log.Debug("stop gossip", "err", err)
			}
		}
	}()
	for ctx.Err() == nil {
		var again <-chan time.Time // without keys there is none: they come with the log
		if keys := gossipKeys(n.State().Secrets()); len(keys) > 0 {
			again = time.After(rejoinEvery)
			if list == nil {
				list = n.beginGossip(keys)
			}
		}
		if list != nil {
			n.greet(list)
		}
		select {
		case <-ctx.Done():
		case <-news:
		case <-again:
		}
	}
	return nil
}

// beginGossip returns nil if there can be none yet.
func (n *Node) beginGossip(keys [][]byte) *memberlist.Memberlist {
	ring, err := memberlist.NewKeyring(keys, keys[0])
	if err != nil {
		n.log.Error("no gossip: its keys cannot be used", "err", err)
		return nil
	}
	list, err := n.startGossip(ring)
	if err != nil {
		n.log.Warn("no gossip yet", "err", err)
		return nil
	}
	n.ring.Store(ring)
	n.turnRing() // the state may have gone on
	n.gossip.Store(list)
	return list
}

func (n *Node) startGossip(ring *memberlist.Keyring) (*memberlist.Memberlist, error) {
	c := n.gossipConfig(ring)
	t, err := listenGossip(n.cfg.Gossip, n.ofMember, n.strangers, n.log.Named("gossip"))
	if err != nil {
		return nil, err
	}
	c.Transport = t
	list, err := memberlist.Create(c)
	if err != nil {
		return nil, errors.Join(err, t.Shutdown())
	}
	return list, nil
}

func (n *Node) gossipConfig(ring *memberlist.Keyring) *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name = n.id.ID
	c.BindAddr, c.BindPort = n.cfg.Gossip.Addr().String(), int(n.cfg.Gossip.Port())
	c.AdvertiseAddr, c.AdvertisePort = c.BindAddr, c.BindPort
	c.GossipInterval, c.ProbeInterval = gossipEvery, gossipEvery
	c.EnableCompression = false   // a message is smaller than what it takes to make it smaller: 100 KB of memory
	c.TCPTimeout = port.DialLimit // it is how long a stop may have to wait
	c.Keyring = ring
	c.Label = n.id.ClusterID
	c.Delegate = gossipDelegate{n.cfg, n.id.Name}
	c.Logger = hush.Lines(hush.Logger(n.log.Named("gossip")), n.strangers.Garbled)
	c.DeadNodeReclaimTime = 30 * time.Second
	return c
}

// greet tells members that gossip does not know of this one.
func (n *Node) greet(list *memberlist.Memberlist) {
	known := map[string]bool{}
	for _, m := range list.Members() {
		known[m.Name] = true
	}
	var wg sync.WaitGroup // a dead host costs the others no time
	defer wg.Wait()
	for _, m := range n.State().Members {
		if known[m.ID] {
			continue
		}
		wg.Go(func() {
			if _, err := list.Join([]string{m.Gossip.String()}); err != nil {
				n.log.Debug("not greeted", "member", m.Name, "err", err)
			}
		})
	}
}

// gossipDelegate says what this member gossips; it takes nothing from others.
type gossipDelegate struct {
	cfg  Config
	name string
}

// NodeMeta implements [memberlist.Delegate].
func (d gossipDelegate) NodeMeta(limit int) []byte {
	b, err := json.Marshal(about{d.name, fmt.Sprintf("%.100s", d.cfg.Version), d.cfg.MinLevel, d.cfg.MaxLevel})
	if err != nil || len(b) > limit {
		return nil
	}
	return b
}

// NotifyMsg implements [memberlist.Delegate].
func (gossipDelegate) NotifyMsg([]byte) {}

// GetBroadcasts implements [memberlist.Delegate].
func (gossipDelegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements [memberlist.Delegate].
func (gossipDelegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements [memberlist.Delegate].
func (gossipDelegate) MergeRemoteState([]byte, bool) {}

var _ memberlist.Delegate = gossipDelegate{}
