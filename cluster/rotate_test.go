package cluster

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/fsm"
)

// uses is nil once these nodes gossip by one key alone.
func uses(key []byte, ns ...*testnode) func() error {
	return func() error {
		for _, n := range ns {
			if diff := cmp.Diff([]string{fsm.KeyID(key)}, n.ringIDs()); diff != "" {
				return fmt.Errorf("%s (-want +got): %s", n.cfg.Name, diff)
			}
		}
		return nil
	}
}

// begins begins a rotation through a node, and returns the key that was used before.
func begins(t *testing.T, n *testnode) []byte {
	t.Helper()
	before := n.State().Secrets().GossipKey
	eventually(t, "a rotation begins", func() error {
		_, err := n.RotateGossip(t.Context(), "test")
		if err != nil && !lostLeader(err) && !errors.Is(err, fsm.ErrStale) {
			t.Fatal(err)
		}
		return err
	})
	return before
}

// turned is nil once a rotation has come to where the new key is used.
func turned(n *testnode, before []byte) func() error {
	return func() error {
		if s := n.State().Secrets(); bytes.Equal(s.GossipKey, before) {
			return errors.New("the key of before is used")
		}
		return nil
	}
}

func TestOneStepOfRotationsIsTakenByTheSameAnswers(t *testing.T) {
	t.Parallel()
	of := func(what string) pki.KeyStatus { return pki.KeyStatus{Rotation: fsm.Rotation{What: what}} }
	all := []pki.KeyStatus{of(fsm.RotatesGossip), of(fsm.RotatesCA)}
	for _, tt := range []struct {
		may  string // take its next step
		want []string
		any  bool
	}{
		{fsm.RotatesGossip, []string{fsm.RotatesGossip}, true},
		{fsm.RotatesCA, []string{fsm.RotatesGossip, fsm.RotatesCA}, true},
		{"", []string{fsm.RotatesGossip, fsm.RotatesCA}, false},
	} {
		var tried []string
		turned := turnOne(all, func(k pki.KeyStatus) bool {
			tried = append(tried, k.What)
			return k.What == tt.may
		})
		if diff := cmp.Diff(tt.want, tried); diff != "" || turned != tt.any {
			t.Errorf("where %q may go on: turned is %v, and the steps that were tried (-want +got): %s", tt.may, turned, diff)
		}
	}
}

// gossiper is a program that gossips by a key of its own, under a cluster's label.
func gossiper(t *testing.T, clusterID string, key []byte) *memberlist.Memberlist {
	t.Helper()
	at := freePort(t)
	c := memberlist.DefaultLANConfig()
	c.Name, c.BindAddr, c.BindPort = "stranger", at.Addr().String(), int(at.Port())
	c.AdvertiseAddr, c.AdvertisePort = c.BindAddr, c.BindPort
	c.SecretKey, c.Label, c.TCPTimeout, c.LogOutput = key, clusterID, 10*time.Second, io.Discard
	list, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	return list
}

func TestTheGossipKeyIsRotatedAndTheFormerOneIsWorthNothing(t *testing.T) {
	t.Parallel()
	ns := three(t)
	before := ns[0].State().Secrets().GossipKey
	if _, err := gossiper(t, ns[0].id.ClusterID, before).Join([]string{ns[1].cfg.Gossip.String()}); err != nil {
		t.Fatalf("with the present key: %v", err)
	}
	for range 2 { // it may be done again
		former := begins(t, ns[1]) // a follower, mostly
		after := func() []byte { return ns[1].State().Secrets().GossipKey }
		eventually(t, "the key is another", turned(ns[1], former))
		eventually(t, "all use the new key alone", func() error { return uses(after(), ns...)() })
		eventually(t, "it is over", func() error {
			if k := ns[2].Keys(t.Context(), fsm.RotatesGossip); k.UnderWay {
				return errors.New(k.String())
			}
			return nil
		})
		if _, err := gossiper(t, ns[0].id.ClusterID, former).Join([]string{ns[1].cfg.Gossip.String()}); err == nil {
			t.Error("who has the former key alone is let in")
		}
		if _, err := gossiper(t, ns[0].id.ClusterID, after()).Join([]string{ns[1].cfg.Gossip.String()}); err != nil {
			t.Errorf("with the new key: %v", err)
		}
	}
	if err := ns[0].FinishRotation(t.Context(), fsm.RotatesGossip, false, false, "test"); err != nil && !lostLeader(err) {
		t.Errorf("the end of what is over: %v", err)
	}
}

func TestARotationGoesOnWhoeverLeadsAndWaitsForWhoIsAway(t *testing.T) {
	t.Parallel()
	ns := three(t)
	away, rest := ns[2], ns[:2]
	away.kill()
	before := begins(t, ns[0])
	again := begins(t, ns[1]) // twice is once
	eventually(t, "a transfer in the midst of it", func() error { return rest[0].LeadershipTransfer(t.Context()) })
	eventually(t, "the new key is used", turned(ns[0], before))
	if bytes.Equal(ns[0].State().Secrets().GossipKey, again) {
		t.Error("it was rotated twice")
	}
	eventually(t, "who is away holds it up", func() error {
		err := ns[1].FinishRotation(t.Context(), fsm.RotatesGossip, false, false, "")
		if !errors.Is(err, ErrKeyInUse) || !strings.Contains(err.Error(), "no answer comes from c") {
			return fmt.Errorf("finished: %w", err)
		}
		return nil
	})
	if former := ns[0].State().Secrets().GossipFormer; !bytes.Equal(former, before) {
		t.Error("the former key was dropped though c is away")
	}
	back := start(t, away.cfg)
	eventually(t, "c is back, and all use the new key alone", func() error {
		return uses(ns[0].State().Secrets().GossipKey, ns[0], ns[1], back)()
	})
	eventually(t, "gossip hears of c", func() error {
		if !ns[0].gossipHears("c") || !back.gossipHears("a") {
			return errors.New("it does not")
		}
		return nil
	})
}

func TestWhoWasAwayWhenTheFormerKeyWasDroppedByForceComesBack(t *testing.T) {
	t.Parallel()
	ns := three(t)
	ns[2].kill()
	before := begins(t, ns[0])
	eventually(t, "the new key is used", turned(ns[0], before))
	eventually(t, "the former one is dropped by force", func() error {
		return ns[0].FinishRotation(t.Context(), fsm.RotatesGossip, true, false, "test")
	})
	eventually(t, "two use the new one alone", func() error { return uses(ns[0].State().Secrets().GossipKey, ns[:2]...)() })
	back := start(t, ns[2].cfg)
	eventually(t, "c has the new key by the log", func() error { return uses(ns[0].State().Secrets().GossipKey, back)() })
	eventually(t, "gossip hears of c", func() error {
		if !ns[0].gossipHears("c") {
			return errors.New("it does not")
		}
		return nil
	})
}

func TestNoKeyIsInTheLogOfARotation(t *testing.T) {
	t.Parallel()
	var said lab.Buffer
	a := first(t, "a", func(c *Config) { c.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &said}) })
	before := begins(t, a)
	eventually(t, "it is over", func() error { return uses(a.State().Secrets().GossipKey, a)() })
	caBefore := a.State().Secrets()
	beginsCA(t, a, nil, nil)
	eventually(t, "a certificate of the new CA", signedAnew(caBefore.CACert, a))
	eventually(t, "that is over, too", overCA(a))
	if said.String() == "" {
		t.Fatal("nothing was said at all")
	}
	for _, text := range [][]byte{caBefore.CAKey, a.State().Secrets().CAKey} {
		lines := strings.Split(string(text), "\n")
		if strings.Contains(said.String(), lines[1]) || strings.Contains(said.String(), base64.StdEncoding.EncodeToString(text)) {
			t.Error("a CA's key is in the log")
		}
	}
	for _, key := range [][]byte{before, a.State().Secrets().GossipKey} {
		for _, text := range spelled(key) {
			if strings.Contains(said.String(), text) {
				t.Errorf("a key is in the log as %q", text)
			}
		}
	}
}

// spelled is how a key may be written.
func spelled(key []byte) []string {
	return []string{string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key), fmt.Sprint(key)}
}
