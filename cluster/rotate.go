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

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/lineage"
)

// A rotation of the cluster's own keys goes on by itself once it has begun: whoever leads takes its next step when every
// member that answers has taken the one before. Who does not answer is not waited for, nor who is halted, since it finds
// what it has still taken when it is back, and learns of the rest from the log; but the former key is dropped only when every member
// uses the present one, or when a person says so.

// KeyStatus says how far a rotation is.
type KeyStatus struct {
	fsm.Rotation
	UnderWay bool
	Members  []KeyUse // by name

	// What ends with the former CA, or with the present one while none is former: certificates of people and programs, and
	// tokens that nobody has used. 0 of another key.
	Certificates, Tokens int
	Ends                 time.Time // the present CA, if nothing is done
}

// KeyUse is what a member says of its keys.
type KeyUse struct {
	Name    string
	Answers bool
	Halted  bool     // it answers, and takes no other keys: it cannot apply the log's next entry
	Uses    string   // ID of the key that it uses
	Takes   []string // IDs of the keys that it takes
}

// Without returns the names of the members that do not use the present key yet, and of those that do not before a person
// has done something: they do not answer, or are halted.
func (k KeyStatus) Without() (others, silent, halted []string) {
	for _, m := range k.Members {
		switch {
		case !m.Answers:
			silent = append(silent, m.Name)
		case m.Uses == k.Present:
		case m.Halted:
			halted = append(halted, m.Name)
		default:
			others = append(others, m.Name)
		}
	}
	return others, silent, halted
}

// next is the step that may be taken now, or nil.
func (k KeyStatus) next() fsm.Command {
	lacks := func(m KeyUse) bool { return m.Answers && !m.Halted && !slices.Contains(m.Takes, k.Next) }
	others, silent, halted := k.Without()
	switch {
	case k.Next != "" && !slices.ContainsFunc(k.Members, lacks):
		return fsm.TurnKey{What: k.What, To: k.Next}
	case k.Next == "" && k.Former != "" && len(others)+len(silent)+len(halted)+k.Certificates+k.Tokens == 0:
		return fsm.DropKey{What: k.What, Of: k.Former}
	}
	return nil
}

// ownKeys is what a node tells of the keys that it has in use.
type ownKeys struct {
	Gossip []string `json:"gossip"` // IDs; it sends with the first
	CA     string   `json:"ca"`     // that has signed its certificate
	Trusts []string `json:"trusts"` // CAs
	Halted bool     `json:"halted,omitempty"`
}

func (n *Node) ownKeys() ownKeys {
	t := n.creds.trust.Load()
	own := ownKeys{Gossip: n.ringIDs(), Trusts: t.ids(), Halted: n.Halted() != nil}
	if ca := lineage.Signer(t.all, n.creds.pair.Load().Leaf); ca != nil {
		own.CA = authorityID(ca)
	}
	return own
}

func (n *Node) serveKeys(w http.ResponseWriter, _ *http.Request) { writeJSON(w, n.ownKeys()) }

// keysOf asks a member for the keys that it has in use.
func (n *Node) keysOf(ctx context.Context, name string) (ownKeys, error) {
	if name == n.id.Name {
		return n.ownKeys(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, max(2*n.cfg.Heartbeat, 500*time.Millisecond))
	defer cancel()
	var own ownKeys
	err := n.call(ctx, name, http.MethodGet, "/cluster/keys", nil, &own)
	return own, err
}

// Keys asks every member which keys it has in use, and returns how far the rotation of one of them is.
func (n *Node) Keys(ctx context.Context, what string) KeyStatus { return n.AllKeys(ctx, what)[0] }

// AllKeys is [Node.Keys] of several: a member is asked once for all.
func (n *Node) AllKeys(ctx context.Context, whats ...string) (all []KeyStatus) {
	s := n.State()
	names := slices.Sorted(maps.Keys(s.Members))
	said := n.askKeys(ctx, names)
	for _, what := range whats {
		all = append(all, n.keyStatus(s, what, names, said))
	}
	return all
}

// askKeys returns what each member says, nil of one that says nothing.
func (n *Node) askKeys(ctx context.Context, names []string) []*ownKeys {
	said := make([]*ownKeys, len(names))
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

func (n *Node) keyStatus(s *fsm.State, what string, names []string, said []*ownKeys) KeyStatus {
	k := KeyStatus{}
	k.Rotation, k.UnderWay = s.Secrets().Rotation(what)
	if what == fsm.RotatesCA {
		k.Certificates, k.Tokens = s.Secrets().Hanging(cmp.Or(k.Former, k.Present), time.Now())
		k.Ends = n.creds.trust.Load().present.NotAfter
	}
	for i, name := range names {
		m := KeyUse{Name: name}
		if said[i] != nil {
			m.take(what, *said[i])
		}
		k.Members = append(k.Members, m)
	}
	return k
}

// take notes what a member has said.
func (m *KeyUse) take(what string, own ownKeys) {
	m.Answers, m.Halted = true, own.Halted
	if what == fsm.RotatesCA {
		m.Uses, m.Takes = own.CA, own.Trusts
		return
	}
	m.Takes = own.Gossip
	if len(own.Gossip) > 0 {
		m.Uses = own.Gossip[0]
	}
}

// rotates is what is rotated.
var rotates = []string{fsm.RotatesGossip, fsm.RotatesCA}

// turnsKeys takes the next steps of rotations while this node leads.
func (n *Node) turnsKeys(ctx context.Context) {
	news := make(chan struct{}, 1)
	defer n.keyNews.add(news)()
	for tries := 0; ctx.Err() == nil && n.Halted() == nil; tries++ {
		underWay, turned := false, false
		for _, what := range rotates {
			if _, ok := n.State().Secrets().Rotation(what); ok {
				underWay = true
				turned = n.turnKey(ctx, n.Keys(ctx, what)) || turned
			}
		}
		var again <-chan time.Time
		switch {
		case turned:
			tries = 0
			continue
		case underWay:
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

// turnKey takes the next step of a rotation, if it may be taken.
func (n *Node) turnKey(ctx context.Context, k KeyStatus) bool {
	c := k.next()
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
	without, hanging := k.lacking(), k.hanging()
	switch {
	case len(without) > 0 && !force:
		return fmt.Errorf("%s is not dropped: %w: %s; --force drops it all the same", k.Former, ErrKeyInUse, strings.Join(without, "; "))
	case hanging != "" && !ending:
		return fmt.Errorf("%s is not dropped: %w: %s", k.Former, ErrKeyInUse, hanging)
	case len(without) == 0 && hanging == "":
		author = ""
	}
	if c, ok := ctx.Value(connKey{}).(*conn); ok { // its own CA may be the one that ends
		c.last.Store(true)
	}
	return n.Propose(ctx, fsm.DropKey{What: what, Of: k.Former, Author: author})
}

// Waits says why the former key is not dropped yet.
func (k KeyStatus) Waits() []string {
	why := k.lacking()
	if hanging := k.hanging(); hanging != "" {
		why = append(why, hanging)
	}
	return why
}

// hanging says what ends with the former key, or nothing.
func (k KeyStatus) hanging() string {
	if k.Certificates+k.Tokens == 0 {
		return ""
	}
	return fmt.Sprintf("certificates of people and programs end with it (%d), and tokens (%d)", k.Certificates, k.Tokens)
}

// lacking says which members may need the former key, and why.
func (k KeyStatus) lacking() []string {
	others, silent, halted := k.Without()
	var why []string
	if len(others) > 0 {
		why = append(why, "not "+k.Present+" is used by "+strings.Join(others, ", "))
	}
	if len(silent) > 0 {
		why = append(why, "no answer comes from "+strings.Join(silent, ", "))
	}
	if len(halted) > 0 {
		why = append(why, "an entry of the log cannot be applied on "+strings.Join(halted, ", "))
	}
	return why
}
