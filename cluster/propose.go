package cluster

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// Errors that callers compare.
var (
	// ErrNoLeader means that nothing was changed: no leader came about in time, and without a
	// majority of the voters none can.
	ErrNoLeader = errors.New("no leader")
	// ErrUncertain means that a change may or may not take effect: look at the state before it is
	// tried again.
	ErrUncertain = errors.New("not known whether the change takes effect")
	// ErrRemoved means that this agent is no longer a member of its cluster.
	ErrRemoved = errors.New("no longer a member of the cluster")
)

// errNotLeader means that another node is to be asked; it never leaves this package.
var errNotLeader = errors.New("does not lead")

// maxEntry bounds what is taken from another director as one entry.
const maxEntry = 64 << 20

// Propose has a command agreed on and applied. When it returns nil, a majority has it on disk, and
// this node's own state shows it. A command that the cluster refuses comes back as that refusal,
// whichever node leads. Without a leader it waits for one, as long as one may come about, at most ten heartbeats or until ctx ends;
// where the leader is lost before it answers, the next one is asked, and the command takes effect once
// all the same. What no leader answers in three times that is uncertain; so it is at once where the leader is
// lost in a cluster whose feature level has no requests.
func (n *Node) Propose(ctx context.Context, c fsm.Command) error {
	if fsm.Known(n.State().Level, c) != nil {
		if _, err := n.CatchUp(ctx); err != nil { // the level may have been raised a moment ago
			return err
		}
		if err := fsm.Known(n.State().Level, c); err != nil {
			return err
		}
	}
	if n.State().Level >= fsm.LevelHistory {
		c = fsm.Once{Request: rand.Text(), Command: c}
	}
	index, err := n.agree(ctx, c)
	if err != nil {
		return err
	}
	n.waitApplied(ctx, index)
	return nil
}

// agree finds the leader and has it append a command; it returns the index of its entry.
func (n *Node) agree(ctx context.Context, c fsm.Command) (uint64, error) {
	ctx, stop := context.WithTimeout(ctx, 3*n.cfg.patience()) // its process may be frozen, or its disk
	defer stop()
	again, end := n.patience(ctx)
	defer end()
	since := max(n.State().Index, 1) // 0 would say that it is the first time
	var uncertain error
	for {
		if err := errors.Join(n.Removed(), n.Halted()); err != nil {
			return 0, errors.Join(uncertain, err)
		}
		entry, err := fsm.Encode(c)
		if err != nil {
			return 0, err
		}
		index, err := n.ask(ctx, entry)
		request, named := c.(fsm.Once)
		var dial *port.DialError
		switch {
		case errors.Is(err, ErrUncertain) && named && n.life.Err() == nil:
			uncertain, again.ctx, again.stubborn = err, ctx, true // the next leader will know
			request.Since = since
			c = request
		case !errors.Is(err, errNotLeader) && !errors.As(err, &dial):
			return index, err
		}
		if err := again.pause(); err != nil {
			return 0, cmp.Or(uncertain, err)
		}
	}
}

// ask has the leader of the moment append an entry. One that leads no more is not waited for: its machine
// may be gone, and nothing else says so for many seconds.
func (n *Node) ask(ctx context.Context, entry []byte) (uint64, error) {
	if n.IsLeader() {
		return n.append(ctx, entry)
	}
	leader := n.Leader()
	if leader == "" {
		return 0, errNotLeader
	}
	if len(entry) <= maxFrame {
		if index, err := n.askByLane(ctx, leader, entry); !errors.Is(err, errNoLane) {
			return index, err
		}
	}
	ctx, stop := n.WhileLeads(ctx, leader)
	defer stop()
	return n.forward(ctx, leader, entry)
}

// WhileLeads returns a context that ends soon after a leader leads no more.
func (n *Node) WhileLeads(ctx context.Context, leader string) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	go func() { // ends with the context
		for n.Leader() == leader && ctx.Err() == nil {
			pause(ctx, n.cfg.Heartbeat/4)
		}
		stop()
	}()
	return ctx, stop
}

// noLeader says how many voters answer, of those that are needed to elect one.
func (n *Node) noLeader() error {
	seen, err := n.voters(n.life, "")
	if err != nil {
		return fmt.Errorf("%w: %w; nothing was changed", ErrNoLeader, err)
	}
	return seen.noLeader()
}

// append is what only the leader can do. It waits as long as this node leads: where the disk hangs Raft answers nobody, and
// another leads soon.
func (n *Node) append(ctx context.Context, entry []byte) (uint64, error) {
	leads := n.tenure.of(n)
	if leads.Err() != nil || n.hangs() {
		return 0, errNotLeader
	}
	if err := n.try(ctx, entry); err != nil {
		return 0, err
	}
	return n.groups.add(n.raft.Load(), entry, n.cfg.patience()).await(ctx, leads)
}

// await returns what becomes of an entry, unless who asks has waited enough, or nobody leads who could say.
func (e *pendingEntry) await(ctx, leads context.Context) (uint64, error) {
	var why error
	select {
	case a := <-e.answer:
		return a.said()
	case <-ctx.Done():
		why = ctx.Err()
	case <-leads.Done():
		why = raft.ErrLeadershipLost
	}
	if e.withdraw() {
		return 0, errNotLeader
	}
	select {
	case a := <-e.answer: // it came at the same moment
		return a.said()
	default:
	}
	return 0, fmt.Errorf("%w: not agreed in time: %w", ErrUncertain, why)
}

// said is what is told of an entry.
func (a appended) said() (uint64, error) {
	if a.err != nil {
		return 0, explainApply(a.err)
	}
	if err, refused := a.response.(error); refused {
		return 0, err
	}
	return a.index, nil
}

// appendFor appends what another member asks for.
func (n *Node) appendFor(ctx context.Context, entry []byte) (uint64, error) {
	if !n.IsLeader() {
		return 0, errNotLeader
	}
	return n.append(ctx, entry)
}

// try applies an entry to this node's own state first: what would be refused costs no entry, and
// what would panic never gets into the log, where it would halt every director.
func (n *Node) try(ctx context.Context, entry []byte) error {
	if err := n.Halted(); err != nil {
		return err
	}
	s := n.State()
	_, _, refused, cause := step(*s, s.Index+1, entry)
	if cause != nil {
		return fmt.Errorf("refused, since it could not be applied: %w", cause)
	}
	if refused == nil {
		return nil
	}
	// What this entry builds on may be agreed already, and applied elsewhere, but not here yet.
	if err := n.barrier(ctx); err != nil {
		return errNotLeader // nothing was tried: another may know better
	}
	s = n.State()
	_, _, refused, cause = step(*s, s.Index+1, entry)
	return errors.Join(refused, cause)
}

// await returns what Raft decides. It waits no longer than ctx or this node's part in Raft last: a Raft that hangs
// in its disk answers nobody, and one that is shut down not all.
func (n *Node) await(ctx context.Context, ask func() raft.Future) error {
	result := make(chan error, 1)
	go func() { result <- ask().Error() }() // ends when Raft decides; what it has not looked at when it is shut down stays
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.part.Done():
		return raft.ErrRaftShutdown
	}
}

// explainApply sorts Raft's errors into what was surely not done and what may have been.
func explainApply(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrEnqueueTimeout):
		return errNotLeader
	case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrRaftShutdown):
		return fmt.Errorf("%w: leadership was lost before it was agreed", ErrUncertain)
	}
	if errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("append to the log: %w; nothing was changed", err)
	}
	return fmt.Errorf("%w: append to the log: %w", ErrUncertain, err)
}

// proposal is an entry on its way to the leader.
type proposal struct {
	Entry json.RawMessage `json:"entry"`
}

// agreed is where the leader put it.
type agreed struct {
	Index uint64 `json:"index"`
}

func (n *Node) forward(ctx context.Context, leader string, entry []byte) (uint64, error) {
	var out agreed
	err := n.call(ctx, leader, http.MethodPost, "/cluster/propose", proposal{Entry: entry}, &out)
	return out.Index, err
}

func (n *Node) servePropose(w http.ResponseWriter, r *http.Request) {
	var p proposal
	if err := readJSON(w, r, &p); err != nil {
		writeError(w, err)
		return
	}
	index, err := n.appendFor(r.Context(), p.Entry)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, agreed{index})
}

// waitApplied waits until this node's state shows an index, if it is able to: one whose disk takes nothing is not.
func (n *Node) waitApplied(ctx context.Context, index uint64) {
	if n.State().Index >= index {
		return // as on the leader, which answers when it has applied it: no timer for that
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.patience())
	defer cancel()
	there, leave := n.machine.reached(index)
	defer leave()
	tick := time.NewTicker(n.cfg.Heartbeat)
	defer tick.Stop()
	for n.follows(index) {
		select {
		case <-ctx.Done():
			return
		case <-there:
			return
		case <-tick.C:
		}
	}
}

// call asks another member's agent, and decodes its answer into out unless that is nil.
func (n *Node) call(ctx context.Context, name, method, path string, in, out any) error {
	client, base, err := n.Client(name)
	if err != nil {
		return err
	}
	return callBy(ctx, client, base, name, method, path, in, out)
}

// callAnew is a call over a connection of its own: it shows the certificate that this node has now.
func (n *Node) callAnew(ctx context.Context, name, path string, in, out any) error {
	client, base, err := n.Client(name)
	if err != nil {
		return err
	}
	tr := client.Transport.(clocked)
	tr.Transport = tr.Clone()
	tr.DisableKeepAlives = true
	return callBy(ctx, &http.Client{Transport: tr}, base, name, http.MethodPost, path, in, out)
}

func callBy(ctx context.Context, client *http.Client, base, name, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask %s: %w", name, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		var dial *port.DialError
		if errors.As(err, &dial) {
			return fmt.Errorf("ask %s: %w", name, dial)
		}
		return fmt.Errorf("ask %s: %w: %w", name, ErrUncertain, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxEntry))
	if err != nil {
		return fmt.Errorf("ask %s: %w: %w", name, ErrUncertain, err)
	}
	return decodeAnswer(name, resp, text, out)
}

// decodeAnswer makes of an answer what it says: a value, or the error that the other side had.
func decodeAnswer(name string, resp *http.Response, text []byte, out any) error {
	if resp.StatusCode/100 != 2 {
		var f failure
		if err := json.Unmarshal(text, &f); err != nil || f.Error == "" {
			return fmt.Errorf("%s answers %s: %.200s", name, resp.Status, bytes.TrimSpace(text))
		}
		return f.err()
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("answer of %s: %w", name, err)
	}
	return nil
}

// withoutHaste is for what must be finished once it has begun.
func withoutHaste(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}
