package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/fsm"
)

// askedLimit is how long a move that a person asked for is waited for.
const askedLimit = 30 * time.Second

// moveQuery is a request as another director passes it on to the leader, which knows the newest.
type moveQuery struct {
	api.MoveRequest
	At string `json:"at"` // where it was made
}

// moveReply is what became of it at once.
type moveReply struct {
	Refuse string `json:"refuse,omitempty"` // why the group is not moved
	There  bool   `json:"there,omitempty"`  // it need not
	Joined bool   `json:"joined,omitempty"` // it was on its way already
	From   string `json:"from"`
	Epoch  uint64 `json:"epoch"` // before the move
	Index  uint64 `json:"index"` // of the log, that far is the request known
}

// Move implements [api.Agent]. It returns when the director owns the group, by its own word and by the log.
func (a *Agent) Move(ctx context.Context, r api.MoveRequest, p api.Progress) error {
	s, err := a.current()
	if err != nil {
		return err
	}
	r.Author = s.author(ctx, r.Author)
	before := s.events.last()
	reply, err := s.askMove(ctx, moveQuery{r, s.cfg.Name})
	switch {
	case err != nil:
		return err
	case reply.Refuse != "":
		return errors.New(reply.Refuse)
	case reply.There:
		p(r.Director + " owns " + r.Group + " already: nothing to do")
		return nil
	case reply.Joined:
		p(fmt.Sprintf("%s is moving from %s to %s already", r.Group, reply.From, r.Director))
	default:
		p(fmt.Sprintf("%s moves from %s to %s", r.Group, reply.From, r.Director))
	}
	ctx, cancel := context.WithTimeout(ctx, askedLimit)
	defer cancel()
	return s.awaitMove(ctx, r, reply, before, p)
}

// askMove has the leader decide. Where there is none, nothing can be moved, which this director finds out by
// trying.
func (s *session) askMove(ctx context.Context, q moveQuery) (moveReply, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return moveReply{}, err
	}
	return leaders{
		self: s.cfg.Name, leader: s.node.Leader, whileLeads: s.node.WhileLeads,
		here: func(ctx context.Context) (moveReply, error) { return s.decideMove(ctx, q) },
		there: func(ctx context.Context, leader string) (reply moveReply, err error) {
			err = s.ask(ctx, leader, http.MethodPost, "/peer/move", body, &reply)
			return reply, err
		},
	}.decide(ctx, q.Group)
}

// leaders have a move decided by the one that leads.
type leaders struct {
	self       string
	leader     func() string // "" while none is known
	whileLeads func(ctx context.Context, leader string) (context.Context, context.CancelFunc)
	here       func(context.Context) (moveReply, error)
	there      func(ctx context.Context, leader string) (moveReply, error)
}

// decide asks the next leader where one is lost before it answers. That is safe: a move is for one epoch of the group, so that
// what the former leader has put into the log is found there, under way or done.
func (l leaders) decide(whole context.Context, group string) (moveReply, error) {
	ctx, cancel := context.WithTimeout(whole, callLimit)
	defer cancel()
	uncertain := false
	for {
		leader := l.leader()
		if leader == "" || leader == l.self {
			return l.here(whole)
		}
		asking, stop := l.whileLeads(ctx, leader)
		reply, err := l.there(asking, leader)
		stop()
		var lost unanswered
		if err == nil || !errors.As(err, &lost) {
			return reply, err
		}
		var dial *port.DialError
		uncertain = uncertain || !errors.As(err, &dial)
		switch {
		case sleep(ctx, 50*time.Millisecond):
		case uncertain:
			return reply, fmt.Errorf("%s leads, and does not answer: it is not known whether %s is to move; `quorate status` shows it, and to ask again does no harm", leader, group)
		default:
			return reply, fmt.Errorf("%s leads, and does not answer: nothing was changed; ask again once `quorate status` names another leader", leader)
		}
	}
}

func (s *session) serveMove(w http.ResponseWriter, r *http.Request) {
	var q moveQuery
	if !read(w, r, smallBody, &q) {
		return
	}
	reply, err := s.decideMove(r.Context(), q)
	if err != nil {
		refuse(w, err.Error())
		return
	}
	answer(w, reply)
}

// decideMove decides by what this director knows, and puts the move into the log.
func (s *session) decideMove(ctx context.Context, q moveQuery) (moveReply, error) {
	return settled(q.Group, func() (moveReply, error) { return s.decideMoveOnce(ctx, q) })
}

// decideTries is how often a move is decided anew that another came before.
const decideTries = 3

// settled decides anew when the log has gone on since it was read, as where others ask for moves at the same moment: what is so
// then is a better answer than that.
func settled(group string, decide func() (moveReply, error)) (moveReply, error) {
	var stale error
	for range decideTries {
		reply, err := decide()
		if !errors.Is(err, fsm.ErrStale) {
			return reply, err
		}
		stale = err
	}
	return moveReply{}, fmt.Errorf("%s is moved by others at this moment: ask again (%w)", group, stale)
}

func (s *session) decideMoveOnce(ctx context.Context, q moveQuery) (moveReply, error) {
	reason := fmt.Sprintf("asked for by %s on %s", cmp.Or(q.Author, "somebody"), q.At)
	if q.Force {
		reason += ", by force"
	}
	if _, err := s.latest(ctx); err != nil { // who is cut off knows neither the owner nor that there is nothing to do
		return moveReply{}, err
	}
	state, now := s.node.State(), time.Now()
	g, exists := state.Groups[q.Group]
	decision := placement.MayMove(placement.MoveWanted{
		Group: q.Group, To: q.Director, Force: q.Force, Exists: exists, Log: g, Reason: reason,
		Role: state.Members[q.Director].Role, Views: views(state, s.everyReport(now), s.reports.stopped, q.Group, now),
	})
	if decision.Move != nil {
		if why := s.absent(ctx, q.Director); why != "" {
			return moveReply{Refuse: why + ", and so it would not take " + q.Group}, nil
		}
		if err := s.propose(ctx, *decision.Move); err != nil {
			return moveReply{}, err
		}
	}
	return moveReply{
		Refuse: decision.Refuse, There: decision.There, Joined: g.Intent != nil,
		From: g.Owner, Epoch: g.Epoch, Index: s.node.State().Index,
	}, nil
}

// awaitMove waits until a group has moved, or the log says that it does not: in an event after the last one
// before.
func (s *session) awaitMove(ctx context.Context, r api.MoveRequest, reply moveReply, before uint64, p api.Progress) error {
	for {
		state := s.node.State()
		g, exists := state.Groups[r.Group]
		if !exists && state.Index >= reply.Index {
			return fmt.Errorf("there is no group %s any more, as of revision %d of the configuration: nothing moves", r.Group, state.Revision)
		}
		to := s.everyReport(time.Now())[r.Director]
		serves, lacks := to.active(r.Group), state.Index < reply.Index // it has not heard of the request yet
		switch {
		case lacks && s.node.Unwritable() != "" && serves && to.Groups[r.Group].Epoch > reply.Epoch: // nor will it
			p(fmt.Sprintf("%s owns %s in epoch %d, by its own word", r.Director, r.Group, to.Groups[r.Group].Epoch))
			return nil
		case lacks:
		case g.Owner == r.Director && serves:
			p(fmt.Sprintf("%s owns %s in epoch %d", r.Director, r.Group, g.Epoch))
			if r.Force { // it may have cost something
				p(g.Reason)
			}
			return nil
		case g.Epoch > reply.Epoch && g.Owner != r.Director:
			return fmt.Errorf("%s went to %s instead: %s", r.Group, g.Owner, g.Reason)
		case g.Epoch == reply.Epoch && g.Intent == nil:
			why := cmp.Or(s.dropReason(r.Group, before), "the move was given up")
			if owner := ownerOf(state, s.everyReport(time.Now()), r.Group, s.cfg.Name).name; owner != g.Owner {
				return fmt.Errorf("nothing has changed: %s", why)
			}
			return fmt.Errorf("%s still owns %s, nothing has changed: %s", cmp.Or(g.Owner, "nobody"), r.Group, why)
		}
		if !sleep(ctx, 20*time.Millisecond) {
			if cannot := s.node.Unwritable(); lacks && cannot != "" {
				return fmt.Errorf("%s does not hear whether %s moves to %s, as %s: ask another director", s.cfg.Name, r.Group, r.Director, cannot)
			}
			return fmt.Errorf("%s has not moved to %s yet: `quorate events` says what happens", r.Group, r.Director)
		}
	}
}

// dropReason is what the log said of a move that did not happen, or empty.
func (s *session) dropReason(group string, after uint64) string {
	why := ""
	for _, e := range s.events.since(context.Background(), after, false) {
		if e.Kind == string(fsm.IntentChanged) && e.Name == group && strings.Contains(e.Text, "does not move") {
			why = e.Text
		}
	}
	return why
}
