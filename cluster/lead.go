package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// caughtUp is how many entries a joiner may be behind when it becomes a voter.
const caughtUp = 16

// lead runs the leader's duties while this node leads.
func (n *Node) lead(ctx context.Context) error {
	leads := false
	for {
		if leads {
			leads = n.untilLost(ctx)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case leads = <-n.leadership:
			n.past.contact.CompareAndSwap(false, leads)
		}
	}
}

// untilLost serves one term, and waits until all of that has ended. It reports whether another term
// began meanwhile.
func (n *Node) untilLost(ctx context.Context) bool {
	duties, stop := context.WithCancel(ctx)
	var term sync.WaitGroup
	term.Go(func() { n.beats(duties) })
	term.Go(func() { n.serveTerm(duties) })
	defer term.Wait()
	defer stop()
	select {
	case <-ctx.Done():
		return false
	case leads := <-n.leadership:
		return leads
	}
}

// tenure is how long this node leads, for all who wait for what only a leader does. Raft tells of its end when it gets to
// that: where its disk hangs, another leads already, and it has known that for long.
type tenure struct {
	mu  sync.Mutex // guards now
	now context.Context
}

// of returns a context that ends soon after a node leads no more. A Raft that does not hang has answered all by then.
func (t *tenure) of(n *Node) context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now == nil || t.now.Err() != nil {
		ctx, end := context.WithCancel(n.part)
		t.now = ctx
		go func() { // ends with the context
			for ended := 0; ended < 2 && ctx.Err() == nil; {
				ended++
				wait := n.cfg.Heartbeat / 4
				if now := time.Now(); n.IsLeader() {
					ended, wait = 0, nextBeat(now, n.cfg.beat()).Sub(now) // when it is awake anyway
				}
				pause(ctx, wait)
			}
			end()
		}()
	}
	return t.now
}

// yieldLimit is how long a leader that is too old waits at most before it tries again to have another lead.
const yieldLimit = 30 * time.Second

// yieldTooOld has another lead whenever this node leads and its binary does not support the cluster's feature level. While it
// hands over nothing waits for who is away, see [Node.awaited]: so it tries ever more rarely, until somebody answers again.
func (n *Node) yieldTooOld(ctx context.Context) error {
	wait, said := n.cfg.Heartbeat, ""
	for ctx.Err() == nil {
		changed := n.Changed()
		if n.tooOld() == nil {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		if !n.IsLeader() {
			wait, said = n.cfg.Heartbeat, ""
			pause(ctx, wait)
			continue
		}
		if err := n.tryGiveLead(ctx); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			n.log.Warn("leadership not given away by a binary that is too old", "err", err)
		}
		began := time.Now()
		pauseFor(ctx, n.away.back, wait)
		if time.Since(began) < wait {
			wait = n.cfg.Heartbeat // somebody is back
		} else {
			wait = min(2*wait, yieldLimit)
		}
	}
	return nil
}

// serveTerm does what only the leader does, once all that was agreed before it is applied here.
func (n *Node) serveTerm(ctx context.Context) {
	if err := n.await(ctx, func() raft.Future { return n.raft.Load().Barrier(0) }); err != nil {
		n.log.Debug("leadership ended before it began", "err", err)
		return
	}
	if n.Halted() != nil {
		return // what cannot be applied cannot be built on
	}
	n.log.Info("this director leads", "index", n.State().Index)
	var wg sync.WaitGroup
	wg.Go(func() { n.govern(ctx) })
	wg.Go(func() { n.turnsKeys(ctx) })
	for _, duty := range n.cfg.Duties {
		wg.Go(func() { duty(ctx, n) })
	}
	wg.Wait()
}

// govern makes Raft's configuration follow the members: who was admitted gets the log, who has
// caught up votes, who was removed is out.
func (n *Node) govern(ctx context.Context) {
	tick := time.NewTicker(max(n.cfg.Heartbeat/2, 20*time.Millisecond))
	defer tick.Stop()
	for {
		pending, err := n.adjust(ctx)
		if err != nil && ctx.Err() == nil {
			n.log.Warn("Raft's configuration not changed", "err", err)
		}
		var again <-chan time.Time
		if pending || err != nil {
			again = tick.C
		}
		select {
		case <-ctx.Done():
			return
		case <-n.membership:
		case <-again:
		}
	}
}

// adjust makes one round of changes; pending says that somebody is not a voter yet.
func (n *Node) adjust(ctx context.Context) (pending bool, err error) {
	if n.Halted() != nil {
		return false, nil // its members are those of an older day
	}
	servers, err := n.servers()
	if err != nil {
		return true, err
	}
	s, r, limit := n.State(), n.raft.Load(), n.cfg.patience()
	known := map[string]raft.ServerSuffrage{}
	for _, server := range servers {
		id := string(server.ID)
		known[id] = server.Suffrage
		if _, ok := memberByID(s, id); !ok {
			if err := n.await(ctx, func() raft.Future { return r.RemoveServer(server.ID, 0, limit) }); err != nil {
				return true, fmt.Errorf("remove %s: %w", id, err)
			}
		}
	}
	for _, m := range s.Members {
		suffrage, ok := known[m.ID]
		id, at := raft.ServerID(m.ID), raftAddress(m.ID, m.Address)
		switch {
		case !ok:
			pending = true
			err = n.await(ctx, func() raft.Future { return r.AddNonvoter(id, at, 0, limit) })
		case suffrage == raft.Voter:
		case n.hasCaughtUp(ctx, m.Name):
			n.log.Info("votes from now on", "member", m.Name)
			err = n.await(ctx, func() raft.Future { return r.AddVoter(id, at, 0, limit) })
		default:
			pending = true
		}
		if err != nil {
			return true, fmt.Errorf("add %s: %w", m.Name, err)
		}
	}
	return pending, nil
}

// progress is how far a member has come.
type progress struct {
	Applied uint64 `json:"applied"`
	Disk    string `json:"disk,omitempty"`  // what is wrong with it
	Space   string `json:"space,omitempty"` // that there is hardly room on it
	Quorum  bool   `json:"quorum,omitempty"`
}

func (n *Node) serveProgress(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, n.progress())
}

// progress is how far this node has come itself.
func (n *Node) progress() progress { return progress{n.State().Index, n.Disk(), n.Space(), n.Quorum()} }

// progressOf asks a member how far it has come.
func (n *Node) progressOf(ctx context.Context, name string) (uint64, error) {
	p, err := n.askProgress(ctx, name)
	return p.Applied, err
}

func (n *Node) askProgress(ctx context.Context, name string) (p progress, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(2*n.cfg.Heartbeat, 500*time.Millisecond))
	defer cancel()
	err = n.call(ctx, name, http.MethodGet, "/cluster/progress", nil, &p)
	return p, err
}

// Reach asks a member's agent whether it is there, until ctx ends.
func (n *Node) Reach(ctx context.Context, name string) error {
	err := n.call(ctx, name, http.MethodGet, "/cluster/progress", nil, nil)
	var dial *port.DialError
	if errors.As(err, &dial) {
		return dial
	}
	return err
}

// hasCaughtUp reports whether a joiner is hardly behind. One that has nothing is, however short the log is: it may not be able to
// take any of it, and counts for the quorum once it votes.
func (n *Node) hasCaughtUp(ctx context.Context, name string) bool {
	applied, err := n.progressOf(ctx, name)
	return err == nil && applied > 0 && applied+caughtUp >= n.State().Index
}

// voterIDs returns the IDs of the servers that count for the quorum.
func voterIDs(servers []raft.Server) []string {
	var ids []string
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// voters asks the voters without one member whether they answer.
func (n *Node) voters(ctx context.Context, without string) (voterSurvey, error) {
	servers, err := n.servers()
	if err != nil {
		return voterSurvey{}, err
	}
	s, seen := n.State(), voterSurvey{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, id := range voterIDs(servers) {
		m, ok := memberByID(s, id)
		if m.Name == without && ok {
			continue
		}
		seen.voters++
		wg.Go(func() {
			var p progress
			answers := false
			if ok {
				p, answers = n.answer(ctx, m)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case !answers:
				seen.silent = append(seen.silent, cmp.Or(m.Name, id))
			case p.Disk != "":
				seen.unwell = append(seen.unwell, m.Name+": "+p.Disk)
			}
			if answers && p.Space != "" {
				seen.full = append(seen.full, m.Name+": "+p.Space)
			}
		})
	}
	wg.Wait()
	slices.Sort(seen.silent)
	clocks := n.Clocks()
	for _, name := range seen.silent {
		if why := clocks.Unproved[name]; why != "" {
			seen.clocks = append(seen.clocks, name+": "+why)
		}
	}
	for _, off := range clocks.Off() {
		seen.clocks = append(seen.clocks, off.Text)
	}
	slices.Sort(seen.unwell)
	slices.Sort(seen.full)
	return seen, nil
}

// answer asks a voter whether it is there, and what is wrong with its disk.
func (n *Node) answer(ctx context.Context, m fsm.Member) (p progress, ok bool) {
	if m.ID == n.id.ID {
		return n.progress(), true
	}
	p, err := n.askProgress(ctx, m.Name)
	return p, err == nil
}

// askAll asks every other member how far it has come, all at once, sorted by name.
func (n *Node) askAll(ctx context.Context) []SurveyMember {
	members := n.State().Members
	out := []SurveyMember{}
	var all sync.WaitGroup
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if name == n.id.Name {
			continue
		}
		out = append(out, SurveyMember{Name: name, Address: members[name].Address.String()})
	}
	for i := range out {
		all.Go(func() {
			p, err := unbroken(func() (progress, error) { return n.askProgress(ctx, out[i].Name) })
			out[i].Index, out[i].Quorum = p.Applied, p.Quorum
			out[i].Why, out[i].Answers = unasked(err)
			out[i].Apart = apart(err)
		})
	}
	all.Wait()
	return out
}

// askTwice asks again after some time where a member says that there is a quorum: one that leads does for a lease after it has lost
// all others, and who follows it for two more heartbeats.
func askTwice(ctx context.Context, later time.Duration, ask func(context.Context) []SurveyMember) []SurveyMember {
	all := ask(ctx)
	if slices.ContainsFunc(all, func(m SurveyMember) bool { return m.Quorum }) {
		pause(ctx, later)
		return ask(ctx)
	}
	return all
}

// apart reports by the error of a question to a member whether that may be in a quorum which this node is not in: it says that this
// is no member, cannot be asked for a certificate, or ends the connection. Another of this cluster in its place has joined since,
// which takes a quorum; a stranger there is in none, and of any other error it is not known what answers.
func apart(err error) bool {
	return port.Unproved(err) != "" && !port.SomebodyElse(err) || errors.Is(err, ErrRemoved) || broken(err)
}

// unbroken asks again where the connection was ended meanwhile.
func unbroken(ask func() (progress, error)) (progress, error) {
	p, err := ask()
	if broken(err) {
		return ask()
	}
	return p, err
}

// broken reports by the error of a question to a member whether that ended the connection after the handshake. With TLS 1.3 who
// does not take this node's certificate does so, and a question that is written into its reset finds that before the reason. It
// may also end at this moment: the next question tells.
func broken(err error) bool {
	var late net.Error
	return errors.Is(err, ErrUncertain) && !errors.Is(err, context.Canceled) && !(errors.As(err, &late) && late.Timeout())
}

// unasked says by the error of a question to a member why it tells nothing of itself, and whether it is there all the same:
// whatever it says, and whatever is wrong with its certificate or the own one, it is not lost. Nor is who ends the connection.
func unasked(err error) (why string, there bool) {
	var dial *port.DialError
	why = port.Unproved(err)
	switch {
	case err == nil, why != "":
		return why, true
	case broken(err):
		return "it ends the connection", true
	case errors.Is(err, ErrUncertain), errors.As(err, &dial):
		return "", false
	}
	return err.Error(), true
}
