package agent

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/agent/keeperlink"
	"github.com/quorate/quorate/director/ownership"
	"github.com/quorate/quorate/fsm"
)

// An unmoved group is one that a director still owns, who could take it, and why each of the others cannot: empty where
// one could.
type unmoved struct {
	group string
	to    string
	why   []string
	soon  bool // nobody could, and one of them may in a moment
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
	owned   func() (groups []string, known bool) // what the keeper has, unless it does not say
	kept    func() []string                      // of what its addresses are here still, whether the keeper is there or not
	state   func() *fsm.State
	live    func() map[string]received
	lately  func(name string) bool // a member was there and ready not long ago
	leader  func() string          // "" while none is known
	propose func(context.Context, fsm.Command) error
	resign  func(ctx context.Context, group string) // gives up on the wire
	fetched func(by string, since time.Time) bool   // it was given the connections that were here then, or later
	given   map[string]parting                      // by group; of one goroutine, as all that follows
}

// A parting is that of a director with a group that it has owned and gives away.
type parting struct {
	epoch uint64    // in which it had it first
	gone  time.Time // since when there can be no new connections here; zero: its addresses may be here
	told  time.Time // since when the log names another; zero: it does not
}

// giveAway has others take what it owns, as moveAll does, and returns what it still owns. Where that is nothing, it waits for the
// receipt.
func (g giver) giveAway(ctx context.Context, reason string, patient func(left []unmoved)) []unmoved {
	left := g.moveAll(ctx, reason, patient)
	if len(left) == 0 {
		g.awaitReceipt(ctx)
	}
	return left
}

// moveAll asks the log to move every group to its best successor, waits, and returns what is still owned. Where nobody could
// take a group, and nobody may in a moment, it gives up at once, unless patient: that hears what is waited for, and may be
// called often. Who is patient waits for a move as long as for a drain, since the cluster may have to elect a leader first;
// but for somebody to move to no longer than others wait for a move to begin.
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
		left := g.left()
		if len(left) == 0 {
			return nil
		}
		w.led(time.Now(), g.leader())
		w.seen(time.Now(), left)
		g.askToTake(ctx, w, left, reason)
		w.led(time.Now(), g.leader())
		switch {
		case w.enough(time.Now(), movesFrom(g.state(), g.self)):
			return left
		case patient != nil && !w.takers:
			patient(left)
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return left
		}
	}
}

// left is what it still owns, and who could take it. What a keeper has that does not answer is not known: it gets no time, and
// may own all that it did.
func (g giver) left() []unmoved {
	state := g.state() // not newer than what is owned: the epoch in which it was had
	owned, known := g.owned()
	g.note(state, owned, known)
	if !known {
		return []unmoved{{group: "what its keeper has", why: []string{keeperlink.ErrNoKeeper.Error()}, soon: true}}
	}
	return remaining(state, g.live(), owned, g.self, g.lately)
}

// note notes what is given away: all that was owned once since that began, and what the log says of a keeper that does not
// answer; and since when each group is gone.
func (g giver) note(state *fsm.State, owned []string, known bool) {
	if !known {
		for group, o := range state.Groups {
			if o.Owner == g.self {
				owned = append(owned, group)
			}
		}
	}
	for _, group := range owned {
		p, had := g.given[group]
		if !had {
			p.epoch = state.Groups[group].Epoch
		}
		p.gone = time.Time{} // it may have come back
		g.given[group] = p
	}
	if known {
		g.noteGone(owned)
	}
}

// noteGone notes which groups are gone: they are not owned, and their addresses are not here.
func (g giver) noteGone(owned []string) {
	kept := sync.OnceValue(g.kept) // a kernel's list, where there is no keeper
	for group, p := range g.given {
		if p.gone.IsZero() && !slices.Contains(owned, group) && !slices.Contains(kept(), group) {
			p.gone = time.Now()
			g.given[group] = p
		}
	}
}

// askToTake asks the log to move each group to its successor.
func (g giver) askToTake(ctx context.Context, w waiting, left []unmoved, reason string) {
	if !w.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, w.moving.Add(beginLimit))
		defer cancel()
	}
	for _, u := range left {
		if u.to != "" {
			g.intend(ctx, u.group, u.to, reason)
		}
	}
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
	for _, u := range g.left() {
		if u.to != "" && ctx.Err() == nil {
			g.resign(ctx, u.group)
			if ctx.Err() == nil {
				waits = append(waits, released{u, time.Now()})
				continue
			}
		}
		if u.to != "" { // one that hangs has the time of all
			u.why = []string{keeperlink.ErrNoKeeper.Error()}
		}
		kept = append(kept, u)
	}
	for len(waits) > 0 {
		state, live := g.state(), g.live()
		waits = slices.DeleteFunc(waits, func(r released) bool {
			by := takenBy(live, r.group, g.self)
			return by != "" && (state.Config.Services.Len() == 0 || g.fetched(by, r.at.Add(ownership.PushAfter)))
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

// awaitReceipt waits until those who took groups have their newest connections, which are lost with an agent that ends before.
// They ask for them after they took over, and tell the log then; who could not reach this director tells the log first, and
// gets a moment to ask. Where the log is told nothing, since nobody leads or the wire alone has moved a group, they were given
// all if they asked since the addresses are gone from here.
func (g giver) awaitReceipt(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, receiptLimit)
	defer cancel()
	for {
		g.noteGone(nil)
		state, live, now := g.state(), g.live(), time.Now()
		maps.DeleteFunc(g.given, func(group string, p parting) bool {
			if o := state.Groups[group]; p.told.IsZero() && o.Epoch > p.epoch && o.Owner != g.self {
				p.told = now
				g.given[group] = p
			}
			return g.received(state, live, group, now)
		})
		if len(g.given) == 0 || !sleep(ctx, 20*time.Millisecond) {
			return
		}
	}
}

// received reports whether who took a group has its newest connections, or is not waited for.
func (g giver) received(state *fsm.State, live map[string]received, group string, now time.Time) bool {
	o, there := state.Groups[group]
	if !there {
		return true // the configuration has it no more
	}
	p := g.given[group]
	fetched := func(by string) bool {
		return !p.gone.IsZero() && (state.Config.Services.Len() == 0 || g.fetched(by, p.gone))
	}
	if !p.told.IsZero() {
		return now.Sub(p.told) >= toldLimit || fetched(o.Owner)
	}
	by := takenBy(live, group, g.self)
	return by != "" && (g.leader() == "" || o.Intent == nil) && fetched(by)
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

// remaining is what a director still owns, and who could take it. Of who was not there lately nothing is to be expected soon.
func remaining(state *fsm.State, live map[string]received, owned []string, from string, lately func(name string) bool) (left []unmoved) {
	for _, group := range owned {
		u := unmoved{group: group}
		for _, name := range state.Groups[group].Order {
			if name == from {
				continue
			}
			r, alive := live[name]
			o := cannotTake(state.Members[name], r, alive, group)
			if o.why == "" {
				u = unmoved{group: group, to: name}
				break
			}
			u.why = append(u.why, name+" "+o.why)
			u.soon = u.soon || o.passes && lately(name)
		}
		left = append(left, u)
	}
	return left
}

// waiting is what who gives its groups away has waited for.
type waiting struct {
	patient  bool
	takers   bool      // somebody could take a group
	soon     bool      // or might in a moment
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

// seen notes who could take what is left. The time for a move to begin is that from when one can.
func (w *waiting) seen(now time.Time, left []unmoved) {
	had := w.takers
	w.takers, w.soon = false, false
	for _, u := range left {
		w.takers, w.soon = w.takers || u.to != "", w.soon || u.soon
	}
	if w.takers && !had {
		w.moving = now
	}
	if w.takers {
		w.possible = now
	}
}

// enough reports whether it has waited for long enough.
func (w *waiting) enough(now time.Time, moves bool) bool {
	if moves {
		w.moving = now
	}
	if w.patient {
		return now.Sub(w.possible) > beginLimit
	}
	return !moves && (!w.takers && !w.soon || now.Sub(w.moving) > beginLimit)
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

// An obstacle is why a member cannot take a group; the zero value is none.
type obstacle struct {
	why    string
	passes bool // by itself, it may be in a moment: a report was lost, or the log is being caught up with. A disk that takes nothing does not
}

// cannotTake says why a member could not take a group now.
func cannotTake(m fsm.Member, r received, alive bool, group string) obstacle {
	own := r.Groups[group]
	switch {
	case m.Role != fsm.RoleDirector:
		return obstacle{"is a witness", false}
	case !alive:
		return obstacle{"is not heard of", true}
	case r.Stopped:
		return obstacle{wasStopped, false}
	case m.Draining:
		return obstacle{"is drained", false}
	case r.Leaving:
		return obstacle{"leaves", false}
	case !r.Ready:
		return obstacle{"is not ready: " + strings.Join(r.Reasons, "; "), !r.Holds}
	case own.Waiting:
		return obstacle{"does not know yet whether it meets what the group requires", true}
	case own.cannot() != "":
		return obstacle{"cannot own it: " + own.cannot(), false}
	case own.State == "initialize":
		return obstacle{"has not started its router yet", true}
	}
	return obstacle{}
}
