package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// An unmoved group is one that a director still owns, who could take it, and why each of the others cannot: empty where
// one could.
type unmoved struct {
	group string
	to    string
	why   []string
}

func (u unmoved) String() string {
	if len(u.why) == 0 {
		return u.group
	}
	return u.group + " (" + strings.Join(u.why, "; ") + ")"
}

// said is how groups that did not move are named to a person.
func said(left []unmoved) string {
	var all []string
	for _, k := range left {
		all = append(all, k.String())
	}
	return strings.Join(all, ", ")
}

// giver gives away what a director owns.
type giver struct {
	self    string
	log     hclog.Logger
	owned   func() []string // what the keeper has
	state   func() *fsm.State
	live    func() map[string]received
	leader  func() string // "" while none is known
	propose func(context.Context, fsm.Command) error
	resign  func(ctx context.Context, group string) // gives up on the wire
	fetched func(by string, since time.Time) bool   // it was given the connections that were here then, or later
}

// moveAll asks the log to move every group to its best successor, waits, and returns what is still owned. Where nobody could
// take a group it gives up at once, unless patient: that hears what is waited for, and may be called often.
// Who is patient waits for a move as long as for a drain, since the cluster may have to elect a leader first; but for
// somebody to move to no longer than others wait for a move to begin.
func (g giver) moveAll(ctx context.Context, reason string, patient func(left []unmoved)) []unmoved {
	limit := GiveAwayLimit
	if patient != nil {
		limit = drainLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	now := time.Now()
	w := waiting{patient: patient != nil, possible: now, moving: now, since: now}
	for {
		owned := g.owned()
		if len(owned) == 0 {
			return nil
		}
		left := remaining(g.state(), g.live(), owned, g.self)
		w.led(time.Now(), g.leader())
		takers := g.askToTake(ctx, w, left, reason)
		w.led(time.Now(), g.leader())
		switch {
		case w.enough(time.Now(), takers, movesFrom(g.state(), g.self)):
			return left
		case patient != nil && !takers:
			patient(left)
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return left
		}
	}
}

// askToTake asks the log to move each group to its successor. It reports whether one could be moved.
func (g giver) askToTake(ctx context.Context, w waiting, left []unmoved, reason string) (takers bool) {
	if !w.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, w.moving.Add(beginLimit))
		defer cancel()
	}
	for _, u := range left {
		if u.to != "" {
			takers = true
			g.intend(ctx, u.group, u.to, reason)
		}
	}
	return takers
}

// intend asks the log to move a group, if no move is under way and somebody leads.
func (g giver) intend(ctx context.Context, group, to, reason string) {
	o := g.state().Groups[group]
	if o.Intent != nil || g.leader() == "" {
		return
	}
	intent := fsm.Intent{To: to, Epoch: o.Epoch + 1, Reason: reason}
	if err := g.propose(ctx, fsm.SetIntent{Group: group, Intent: intent}); err != nil {
		g.log.Warn("move not agreed", "group", group, "to", to, "err", err)
	}
}

// released is a group that was given up on the wire.
type released struct {
	unmoved
	at time.Time
}

// letGo gives up on the wire what it still owns and somebody could take as it is known now: to ask the log may have taken
// long. The others take over at once then, and fetch the newest connections from this director, which is still there: they
// could do neither if it ended as it is. It returns what was not given up, and what was and nobody took, or not with its connections.
func (g giver) letGo(ctx context.Context) (kept, open []unmoved) {
	ctx, cancel := context.WithTimeout(ctx, letGoLimit)
	defer cancel()
	var waits []released
	for _, u := range remaining(g.state(), g.live(), g.owned(), g.self) {
		if u.to != "" && ctx.Err() == nil {
			g.resign(ctx, u.group)
			if ctx.Err() == nil {
				waits = append(waits, released{u, time.Now()})
				continue
			}
		}
		if u.to != "" { // one that hangs has the time of all
			u.why = []string{"the keeper does not answer"}
		}
		kept = append(kept, u)
	}
	for len(waits) > 0 {
		state, live := g.state(), g.live()
		waits = slices.DeleteFunc(waits, func(r released) bool {
			by := takenBy(live, r.group, g.self)
			return by != "" && (len(state.Config.Services) == 0 || g.fetched(by, r.at.Add(ownership.PushAfter)))
		})
		if len(waits) > 0 && !sleep(ctx, 20*time.Millisecond) {
			break
		}
	}
	for _, r := range waits {
		open = append(open, r.unmoved)
	}
	return kept, open
}

// takenBy returns a director beside one that says that it owns a group, or "".
func takenBy(live map[string]received, group, not string) string {
	for name, r := range live {
		if name != not && r.active(group) {
			return name
		}
	}
	return ""
}

// remaining is what a director still owns, and who could take it.
func remaining(state *fsm.State, live map[string]received, owned []string, from string) (left []unmoved) {
	for _, group := range owned {
		to, why := successor(state, live, group, from)
		left = append(left, unmoved{group, to, why})
	}
	return left
}

// waiting is what who gives its groups away has waited for.
type waiting struct {
	patient  bool
	possible time.Time // when somebody could take a group last
	moving   time.Time // when a move was under way last: it is not given up half way, for what began since would be lost
	leader   string    // who leads, or ""
	since    time.Time // when that began
}

// led notes who leads. Without a leader no move can begin, so the time for that begins with the next one: it is an
// election away, unless there is no majority to elect one.
func (w *waiting) led(now time.Time, by string) {
	if by != w.leader {
		w.leader, w.since, w.moving = by, now, now
	}
	if by == "" && now.Sub(w.since) <= electionLimit {
		w.moving = now
	}
}

// enough reports whether it has waited for long enough.
func (w *waiting) enough(now time.Time, takers, moves bool) bool {
	if takers {
		w.possible = now
	}
	if moves {
		w.moving = now
	}
	if w.patient {
		return now.Sub(w.possible) > beginLimit
	}
	return !moves && (!takers || now.Sub(w.moving) > beginLimit)
}

// movesFrom reports whether a group is moving away from a director, as the log has it.
func movesFrom(state *fsm.State, director string) bool {
	for _, g := range state.Groups {
		if g.Owner == director && g.Intent != nil && g.Intent.To != director {
			return true
		}
	}
	return false
}

// successor returns the best director that could take a group now. If there is none it says why of each.
func successor(state *fsm.State, live map[string]received, group, not string) (name string, why []string) {
	for _, name := range state.Groups[group].Order {
		if name == not {
			continue
		}
		r, alive := live[name]
		reason := cannotTake(state.Members[name], r, alive, group)
		if reason == "" {
			return name, nil
		}
		why = append(why, name+" "+reason)
	}
	return "", why
}

// cannotTake says why a member could not take a group now, or is empty.
func cannotTake(m fsm.Member, r received, alive bool, group string) string {
	own := r.Groups[group]
	switch {
	case m.Role != fsm.RoleDirector:
		return "is a witness"
	case !alive:
		return "is not heard of"
	case r.Stopped:
		return wasStopped
	case m.Draining:
		return "is drained"
	case r.Leaving:
		return "leaves"
	case !r.Ready:
		return "is not ready: " + strings.Join(r.Reasons, "; ")
	case own.Waiting:
		return "does not know yet whether it meets what the group requires"
	case own.cannot() != "":
		return "cannot own it: " + own.cannot()
	case own.State == "initialize":
		return "has not started its router yet"
	}
	return ""
}
