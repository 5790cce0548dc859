package agent

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/fsm"
)

// How long this agent waits for the rest of the cluster.
const (
	beginLimit    = 4 * time.Second // for a move to begin while there is a leader
	electionLimit = 8 * time.Second // for a leader
	latelyLimit   = GiveAwayLimit   // for a member that is silent or not ready to be as before; for longer than that it is taken to stay so
	letGoLimit    = 3 * time.Second // for another to take over what was given up on the wire
	receiptLimit  = 5 * time.Second // for a successor to fetch the newest connections
	toldLimit     = time.Second     // the same where the log names the successor already: it asks at once, if it can
	readyLimit    = 60 * time.Second
	drainLimit    = 30 * time.Second
	drainQuiet    = time.Second // before a drain says what it waits for
	callLimit     = 10 * time.Second
	reachedLimit  = 20 * time.Second // for the others to connect to a director that has joined
)

// GiveAwayLimit is how long an agent that is told to stop, or whose keeper is, waits for its groups to move: for a leader, if there
// is none, and then for the moves themselves.
const GiveAwayLimit = 15 * time.Second

// StopLimit is how long an agent that is told to stop, or whose keeper is, takes to hand over at most: after the moves, successors
// fetch the newest connections, and what has not moved is given up on the wire.
const StopLimit = GiveAwayLimit + max(receiptLimit, letGoLimit)

// propose is Propose with a limit of patience.
func (s *session) propose(ctx context.Context, c fsm.Command) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := s.node.Propose(ctx, c)
	if errors.Is(err, fsm.ErrStale) && s.node.Unwritable() != "" { // this director cannot apply the change that was faster: say that
		if _, behind := s.latest(ctx); behind != nil {
			return behind
		}
	}
	return err
}
