package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// A rotation of the cluster's own keys goes on by itself once it has begun: whoever leads takes its next step when every
// member that answers has taken the one before. Who does not answer is not waited for, nor who is halted, since it finds
// what it has still taken when it is back, and learns of the rest from the log; but the former key is dropped only when every member
// uses the present one, or when a person says so.

func (n *Node) ownKeys() pki.InUse {
	t := n.creds.Trust()
	own := pki.InUse{Gossip: n.ringIDs(), Trusts: t.IDs(), Halted: n.Halted() != nil}
	if ca := t.SignerOf(n.creds.Leaf()); ca != nil {
		own.CA = pki.AuthorityID(ca)
	}
	return own
}

func (n *Node) serveKeys(w http.ResponseWriter, _ *http.Request) { writeJSON(w, n.ownKeys()) }

// keysOf asks a member for the keys that it has in use.
func (n *Node) keysOf(ctx context.Context, name string) (pki.InUse, error) {
	if name == n.id.Name {
		return n.ownKeys(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, max(2*n.cfg.Heartbeat, 500*time.Millisecond))
	defer cancel()
	var own pki.InUse
	err := n.call(ctx, name, http.MethodGet, "/cluster/keys", nil, &own)
	return own, err
}

// Keys asks every member which keys it has in use, and returns how far the rotation of one of them is.
func (n *Node) Keys(ctx context.Context, what string) pki.KeyStatus { return n.AllKeys(ctx, what)[0] }

// AllKeys is [Node.Keys] of several: a member is asked once for all.
func (n *Node) AllKeys(ctx context.Context, whats ...string) (all []pki.KeyStatus) {
	s := n.State()
	names := slices.Sorted(maps.Keys(s.Members))
	said := n.askKeys(ctx, names)
	for _, what := range whats {
		all = append(all, n.keyStatus(s, what, names, said))
	}
	return all
}

// askKeys returns what each member says, nil of one that says nothing.
func (n *Node) askKeys(ctx context.Context, names []string) []*pki.InUse {
	said := make([]*pki.InUse, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			if own, err := n.keysOf(ctx, name); err == nil {
				said[i] = &own
			}
		})
	}
	all.Wait()
	return said
}

func (n *Node) keyStatus(s *fsm.State, what string, names []string, said []*pki.InUse) pki.KeyStatus {
	k := pki.KeyStatus{}
	k.Rotation, k.UnderWay = s.Secrets().Rotation(what)
	if what == fsm.RotatesCA {
		k.Certificates, k.Tokens = s.Secrets().Hanging(cmp.Or(k.Former, k.Present), time.Now())
		k.Ends = n.creds.Trust().Present().NotAfter
	}
	for i, name := range names {
		m := pki.KeyUse{Name: name}
		if said[i] != nil {
			m.Take(what, *said[i])
		}
		k.Members = append(k.Members, m)
	}
	return k
}

// rotates is what is rotated.
var rotates = []string{fsm.RotatesGossip, fsm.RotatesCA}

// rotating is what of it is being rotated.
func (n *Node) rotating() (underWay []string) {
	for _, what := range rotates {
		if _, ok := n.State().Secrets().Rotation(what); ok {
			underWay = append(underWay, what)
		}
	}
	return underWay
}

// turnsKeys takes the next steps of rotations while this node leads.
func (n *Node) turnsKeys(ctx context.Context) {
	news := make(chan struct{}, 1)
	defer n.keyNews.add(news)()
	for tries := 0; ctx.Err() == nil && n.Halted() == nil; tries++ {
		underWay, turned := n.rotating(), false
		if len(underWay) > 0 {
			turned = turnOne(n.AllKeys(ctx, underWay...), func(k pki.KeyStatus) bool { return n.turnKey(ctx, k) })
		}
		var again <-chan time.Time
		switch {
		case turned:
			tries = 0
			continue
		case len(underWay) > 0:
			again = time.After(min(n.cfg.Heartbeat/8<<min(tries, 10), 4*n.cfg.Heartbeat))
		}
		select {
		case <-ctx.Done():
		case <-news:
			tries = 0
		case <-again:
		}
	}
}

// turnOne takes one step of several rotations, the first that may be taken, and reports whether there was one. It may have taken
// long, and who has joined meanwhile was not asked: the others' steps are taken by new answers.
func turnOne(all []pki.KeyStatus, turn func(pki.KeyStatus) bool) bool {
	return slices.ContainsFunc(all, turn)
}

// turnKey takes the next step of a rotation, if it may be taken.
func (n *Node) turnKey(ctx context.Context, k pki.KeyStatus) bool {
	c := k.Step()
	if c == nil || ctx.Err() != nil {
		return false
	}
	err := n.Propose(ctx, c)
	if err != nil && ctx.Err() == nil {
		n.log.Warn("the next step of a rotation not taken", "what", k.What, "err", err)
	}
	return err == nil
}

// RotateGossip begins a rotation of the gossip key, and returns true. Where one is under way it goes on, which is no error.
func (n *Node) RotateGossip(ctx context.Context, author string) (begun bool, err error) {
	if _, err := n.CatchUp(ctx); err != nil {
		return false, err
	}
	r, underWay := n.State().Secrets().Rotation(fsm.RotatesGossip)
	if underWay {
		return false, nil
	}
	err = n.Propose(ctx, fsm.OfferGossipKey{Of: r.Present, Key: newGossipKey(), Author: author})
	if errors.Is(err, fsm.ErrTaken) {
		return false, nil // somebody else was faster
	}
	return err == nil, err
}

func newGossipKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// ErrKeyInUse means that a former key is not dropped, since a member may still need it.
var ErrKeyInUse = errors.New("the former key may still be needed")

// FinishRotation drops the former key; by force, though a member does not use the present one yet, and where it is said
// so, though certificates and tokens end with it.
func (n *Node) FinishRotation(ctx context.Context, what string, force, ending bool, author string) error {
	if _, err := n.CatchUp(ctx); err != nil {
		return err
	}
	k := n.Keys(ctx, what)
	if k.UnderWay && k.Next != "" {
		return fmt.Errorf("%s is not used yet, so that nothing is former: %w; `quorate key status` says what it waits for", k.Next, ErrKeyInUse)
	}
	if !k.UnderWay {
		return nil
	}
	without, hanging := k.Lacking(), k.Hanging()
	switch {
	case len(without) > 0 && !force:
		return fmt.Errorf("%s is not dropped: %w: %s; --force drops it all the same", k.Former, ErrKeyInUse, strings.Join(without, "; "))
	case hanging != "" && !ending:
		return fmt.Errorf("%s is not dropped: %w: %s", k.Former, ErrKeyInUse, hanging)
	case len(without) == 0 && hanging == "":
		author = ""
	}
	if c, ok := ctx.Value(connKey{}).(*port.Conn); ok { // its own CA may be the one that ends
		c.EndWithAnswer()
	}
	return n.Propose(ctx, fsm.DropKey{What: what, Of: k.Former, Author: author})
}
