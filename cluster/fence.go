package cluster

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
)

// Who was left behind by a recovery may be a majority of the old cluster. So every node asks all members
// that it knows for the cluster's epoch before it starts Raft, and every member of a recovered cluster
// keeps calling the former ones. What counts is the recovery itself, signed by the CA that all of them
// know: who has seen a later one than its own is fenced, and stays so on disk. It takes no part in Raft
// any more and is treated as removed, until it has left and joined again.

// Timing of the fence. Raft's start waits for answers no longer than askLimit, for a host may be off.
const (
	askLimit     = time.Second
	callEvery    = 2 * time.Second
	callToldEach = time.Minute // who has confirmed that it is fenced may be given back an old disk
)

const epochPath = "/cluster/epoch"

// epochAnswer is the latest recovery that a node knows of, in both directions.
type epochAnswer struct {
	Recovery *fsm.Recovery `json:"recovery,omitempty"`
	Fenced   bool          `json:"fenced,omitempty"` // who answers takes no part any more

	At    netip.AddrPort `json:"at,omitzero"`     // where who answers knows who asks
	Index uint64         `json:"index,omitempty"` // what who speaks has applied

	From  netip.AddrPort            `json:"from,omitzero"`   // where who speaks is
	Known map[string]netip.AddrPort `json:"known,omitempty"` // where it knows others to be, by ID, if that is news

	Process string `json:"process,omitempty"` // who speaks: another one each time that it was started

	counts bool // who answers was known by a CA that counts: only then there is more here than what is signed
}

// sign has the cluster's CA say that a recovery took place.
func sign(r fsm.Recovery, caKey []byte) (signed fsm.Recovery, err error) {
	r.Signature, err = pki.SignText(r.Text(), caKey)
	return r, err
}

// latest is the latest recovery that this node knows of: its own cluster's, or the one that fenced it.
func (n *Node) latest() *fsm.Recovery {
	if r := n.LeftBehind(); r != nil {
		return r
	}
	return n.State().Recovery
}

// leavesBehind reports whether a recovery ends this node's part: it is later than what this node's own
// log knows, and this node is not who comes after it.
func (n *Node) leavesBehind(r *fsm.Recovery) bool {
	if r == nil || r.ClusterID != n.id.ClusterID || r.SurvivorID == n.id.ID || !r.Over(n.latest()) || !n.creds.Trust().Signed(r.Text(), r.Signature) {
		return false
	}
	return n.id.Admitted < r.Index || n.State().Index >= n.id.Admitted // else it is to catch up first
}

// heed fences this node if a recovery has left it behind.
func (n *Node) heed(r *fsm.Recovery, by string) {
	if n.cfg.Unfenced != nil && n.cfg.Unfenced() || !n.leavesBehind(r) {
		return
	}
	if err := writeFence(n.creds.Dir(), r); err != nil { // it counts all the same, until the next start
		n.log.Error("the recovery that ended this director's part is not kept on disk", "err", err)
	}
	n.endRemoved(n.leftBehind(r, by))
}

func (n *Node) leftBehind(r *fsm.Recovery, by string) *removal {
	where := "ADDRESS"
	if m, ok := memberByID(n.State(), r.SurvivorID); ok {
		where = m.Address.String()
	} else if m, ok := n.State().Former[r.SurvivorID]; ok { // of two that recovered the same cluster
		where = m.Address.String()
	}
	return &removal{Name: n.id.Name, Index: r.Index, By: by, Recovery: r, Behind: true, Where: where}
}

// LeftBehind returns the recovery that has ended this member's part in its cluster, or nil. It is to own
// nothing any more.
func (n *Node) LeftBehind() *fsm.Recovery {
	if r := n.removed.Load(); r != nil && r.Behind {
		return r.Recovery
	}
	return nil
}

func writeFence(dir string, r *fsm.Recovery) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, fenceFile), append(text, '\n'), 0o600)
}

// recallFence takes the fence up that is on disk. One that cannot be read is as bad as one: nobody knows
// what it said.
func (n *Node) recallFence() error {
	if n.cfg.Unfenced != nil && n.cfg.Unfenced() {
		return nil
	}
	path := filepath.Join(n.creds.Dir(), fenceFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var r fsm.Recovery
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && !n.creds.Trust().Signed(r.Text(), r.Signature) {
		err = errors.New("its signature is not the cluster's CA's")
	}
	if err != nil {
		return fmt.Errorf("read %s, by which this director was left behind: %w; `quorate status` on another director says whether it is a member there: if not, remove %s and join again",
			path, err, n.creds.Dir())
	}
	if n.leavesBehind(&r) {
		n.removed.Store(n.leftBehind(&r, ""))
	}
	return nil
}

// askEpochs asks every other member for the cluster's epoch, all at once, and waits for the answers no
// longer than askLimit. It tells them where this node is, if from says it. It returns where the one of them that knows most knows
// this member to be, if one knows more than this node does.
func (n *Node) askEpochs(ctx context.Context, from netip.AddrPort) (at netip.AddrPort) {
	if n.cfg.Unfenced != nil && n.cfg.Unfenced() {
		return at
	}
	var mu sync.Mutex // guards at and newest
	newest := n.State().Index
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var all sync.WaitGroup
	for _, m := range n.State().Members {
		if m.ID == n.id.ID {
			continue
		}
		all.Go(func() {
			a, err := n.tellEpoch(ctx, m, from)
			if err == nil {
				n.heed(a.Recovery, m.Name)
				n.hearAnswer(m, a)
				mu.Lock()
				defer mu.Unlock()
				if a.At.IsValid() && a.Index > newest {
					at, newest = a.At, a.Index
				}
			}
			n.noteRefusal(m.Name, err)
		})
		all.Go(func() { n.askContact(ctx, m, from) })
	}
	all.Wait()
	return at
}

// tellEpoch tells a member, or a former one, of the latest recovery that this node knows of, and returns
// the latest that it knows of. It asks wherever the member may be at once: a place may swallow what is sent there.
func (n *Node) tellEpoch(ctx context.Context, m fsm.Member, from netip.AddrPort) (a epochAnswer, err error) {
	at := n.heard.of(m)
	if at == m.Address {
		return n.tellEpochAt(ctx, m, at, from)
	}
	var back epochAnswer
	var backErr error
	var both sync.WaitGroup
	both.Go(func() { a, err = n.tellEpochAt(ctx, m, at, from) })
	both.Go(func() { back, backErr = n.tellEpochAt(ctx, m, m.Address, from) }) // it may have moved back
	both.Wait()
	if err != nil {
		return back, backErr
	}
	return a, nil
}

// tellEpochAt is tellEpoch at one address. It tells where this node is by from, if that is valid.
func (n *Node) tellEpochAt(ctx context.Context, m fsm.Member, at, from netip.AddrPort) (epochAnswer, error) {
	var by *tls.Conn
	tr := &http.Transport{
		DisableKeepAlives: true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := n.dialer.DialEpoch(ctx, at, m.ID)
			if err != nil {
				return nil, err
			}
			by = c
			return c, nil
		},
	}
	var out epochAnswer
	err := callBy(ctx, &http.Client{Transport: tr}, "https://"+pki.Hostname(m.ID), m.Name, http.MethodPost, epochPath, epochAnswer{Recovery: n.latest(), Index: n.State().Index, From: from, Process: n.process}, &out)
	if err != nil {
		return epochAnswer{}, err
	}
	if out.counts = n.creds.Counts(by.ConnectionState()); !out.counts {
		out.At, out.From, out.Known = netip.AddrPort{}, netip.AddrPort{}, nil
	}
	return out, nil
}

// serveEpoch is for whoever has a certificate of this cluster, member or not: by it those who were left
// behind learn of it.
func (n *Node) serveEpoch(w http.ResponseWriter, r *http.Request) {
	var told epochAnswer
	if err := readJSON(w, r, &told); err != nil {
		writeError(w, err)
		return
	}
	by, s := r.RemoteAddr, n.State()
	out := epochAnswer{Index: s.Index, From: n.cfg.Bind, Process: n.process}
	if c, ok := r.Context().Value(connKey{}).(*port.Conn); ok {
		by = c.ConnectionState().PeerCertificates[0].Subject.CommonName
		if told.Process != n.process {
			n.hearTwin(c.ConnectionState(), r.RemoteAddr)
		}
		if p, err := pki.IdentityOf(c.ConnectionState().PeerCertificates[0]); err == nil {
			m, member := memberByID(s, p.ID)
			out.At = m.Address
			if member && p.ID != n.id.ID {
				n.heard.hear(m, told.From, true)
				out.Known = n.whereAre(s, s.Index > told.Index)
			}
		}
	}
	n.heed(told.Recovery, by)
	out.Recovery, out.Fenced = n.latest(), n.LeftBehind() != nil
	writeJSON(w, out)
}

// callFormer keeps telling those whom a recovery left behind, until ctx ends: they come back when they
// will, and may be enough to go on as the old cluster.
func (n *Node) callFormer(ctx context.Context) error {
	due := map[string]time.Time{}
	tick := time.NewTicker(min(callEvery, 4*n.cfg.Heartbeat))
	defer tick.Stop()
	for {
		if n.Removed() == nil {
			n.callDue(ctx, due)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// callDue calls the former members whose turn it is.
func (n *Node) callDue(ctx context.Context, due map[string]time.Time) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex // guards due once calls are under way
	now, former := time.Now(), maps.Clone(n.State().Former)
	maps.DeleteFunc(due, func(id string, _ time.Time) bool { _, still := former[id]; return !still })
	maps.DeleteFunc(former, func(id string, _ fsm.Member) bool { return now.Before(due[id]) })
	for id, m := range former {
		all.Go(func() {
			a, err := n.tellEpoch(ctx, m, netip.AddrPort{})
			if err != nil {
				n.log.Debug("former member not told", "name", m.Name, "err", err)
				return
			}
			n.heed(a.Recovery, m.Name)
			if a.Fenced {
				mu.Lock()
				defer mu.Unlock()
				if due[id].IsZero() {
					n.log.Info("a former member knows that the cluster went on without it", "name", m.Name)
				}
				due[id] = now.Add(callToldEach)
			}
		})
	}
	all.Wait()
}
