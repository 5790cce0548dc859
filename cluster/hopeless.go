package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// electionTime is in how many timeouts a leader comes about where a majority of the voters reaches each other.
const electionTime = 3

// patient is how a call waits for a leader: as long as one may come about, and not for ever.
type patient struct {
	n        *Node
	ctx      context.Context
	verdict  <-chan error // nil: nothing was waited for yet
	stubborn bool         // it goes on as long as ctx lasts: what it has asked for may have happened
}

// patience returns how a call waits, and a function that is to be called at its end.
func (n *Node) patience(ctx context.Context) (*patient, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, elections*n.timeout())
	return &patient{n: n, ctx: ctx}, cancel
}

// pause waits a moment before the call is tried again. It returns an error if that is in vain.
func (p *patient) pause() error {
	if p.verdict == nil {
		p.verdict = p.n.hopeless(p.ctx)
	}
	pause(p.ctx, p.n.cfg.Heartbeat/20)
	switch {
	case p.ctx.Err() == nil:
	case p.stubborn:
		return p.ctx.Err()
	default:
		return p.n.noLeader()
	}
	select {
	case err := <-p.verdict:
		if !p.stubborn {
			return err
		}
	default:
	}
	return nil
}

// hopeless returns a channel that takes an error, which matches [ErrNoLeader], once no leader can come about. It takes
// none when ctx has ended. All calls that wait have one watch.
func (n *Node) hopeless(ctx context.Context) <-chan error {
	return n.hopes.wait(ctx, n.life, n.watchHope)
}

// watchHope returns an error when no leader can come about, or nil when ctx ends. None can if nobody has led for
// longer than an election takes, and too few voters answer, asked twice. After a long time without a leader they are
// asked once. Who has just started and has heard of no leader yet believes for a while that the others are starting too.
func (n *Node) watchHope(ctx context.Context) error {
	for few := 0; ctx.Err() == nil; pause(ctx, n.cfg.Heartbeat) {
		since := n.leaderless(time.Now())
		if since < electionTime*n.timeout() {
			few = 0
			continue
		}
		seen, err := n.voters(ctx, "")
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil || seen.enough():
			few = 0
		case few > 0 || since >= elections*n.timeout():
			return seen.noLeader()
		default:
			few++
		}
	}
	return nil
}

// leaderless is for how long this node has not heard of a leader; 0 while there is one, or where it started a moment
// ago.
func (n *Node) leaderless(now time.Time) time.Duration {
	r := n.raft.Load()
	if r == nil || n.Leader() != "" || r.State() == raft.Leader {
		return 0
	}
	last := r.LastContact()
	if last.IsZero() { // never in this process
		return max(now.Sub(n.opened)-n.cfg.patience(), 0)
	}
	return now.Sub(last)
}

// voterSurvey is which voters answer.
type voterSurvey struct {
	voters int
	silent []string // those that do not, by name
	unwell []string // what is wrong with the disks of those that do: who cannot write agrees to nothing
	full   []string // of those that answer, on whose disks there is hardly room
	clocks []string // which are off, and who does not answer as a certificate is not taken
}

func (a voterSurvey) answer() int { return a.voters - len(a.silent) }

// enough reports whether a majority of all voters answers.
func (a voterSurvey) enough() bool { return a.answer() > a.voters/2 }

// noLeader says how many voters answer, of those that are needed to elect a leader, who does not, and what to do.
func (a voterSurvey) noLeader() error {
	counts := fmt.Sprintf("%d of %d voters answer, %d must reach each other", a.answer(), a.voters, a.voters/2+1)
	if a.enough() {
		counts = fmt.Sprintf("%d of %d voters answer, which is enough, and none leads", a.answer(), a.voters)
	}
	if why := slices.Concat(a.unwell, a.clocks); len(why) > 0 {
		counts += "; " + strings.Join(why, "; ")
	}
	if a.enough() {
		return fmt.Errorf("%w: %s; nothing was changed", ErrNoLeader, counts)
	}
	verb := "does"
	if len(a.silent) > 1 {
		verb = "do"
	}
	return fmt.Errorf("%w: %s; %s %s not answer; nothing was changed: start them, or mend the way to them; `quorate recover` is for those that are lost for good",
		ErrNoLeader, counts, strings.Join(a.silent, ", "), verb)
}
