package agent

import (
	"context"
	"errors"
	"time"

	"github.com/quorate/quorate/fsm"
)

// Limits of patience with the rest of the cluster.
const (
	beginLimit    = 4 * time.Second // for a move to begin where somebody leads
	electionLimit = 8 * time.Second // for somebody to lead
	latelyLimit   = GiveAwayLimit   // for who is silent or not ready to be as before: what lasts for longer is no matter of a moment
	letGoLimit    = 3 * time.Second // for another to take what was given up on the wire
	receiptLimit  = 5 * time.Second // for the newest connections
	toldLimit     = time.Second     // for them where the log has been told already: who took over asks at once, if it can
	readyLimit    = 60 * time.Second
	drainLimit    = 30 * time.Second
	drainQuiet    = time.Second // before a drain says what it waits for
	callLimit     = 10 * time.Second
	reachedLimit  = 20 * time.Second // for the others to connect to a director that has joined
)

// GiveAwayLimit is for how long an agent that is to stop, or whose keeper is, waits for moves: for a leader first, if there is
// none, and then for all of a move.
const GiveAwayLimit = 15 * time.Second

// StopLimit is for how long an agent that is to stop, or whose keeper is, hands over at most: what has moved has its newest connections fetched,
// what has not is given up on the wire.
const StopLimit = GiveAwayLimit + max(receiptLimit, letGoLimit)

// propose is Propose with a limit of patience.
func (s *session) propose(ctx context.Context, c fsm.Command) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err := s.node.Propose(ctx, c)
	if errors.Is(err, fsm.ErrStale) && s.node.Unwritable() != "" { // it does not see what was faster, and never will
		if _, behind := s.latest(ctx); behind != nil {
			return behind
		}
	}
	return err
}
