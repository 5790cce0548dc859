package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/fsm"
)

// lostLeader is a cluster whose leader d2 hangs, or is gone, until another leads.
func lostLeader(lost error, next string, after time.Duration) leaders {
	began := time.Now()
	leader := func() string {
		if time.Since(began) < after {
			return "d2"
		}
		return next
	}
	return leaders{
		self: "d1", leader: leader,
		whileLeads: func(ctx context.Context, leads string) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, began.Add(after))
		},
		here: func(context.Context) (moveReply, error) { return moveReply{There: true, From: "d1"}, nil },
		there: func(ctx context.Context, leader string) (moveReply, error) {
			if leader != "d2" {
				return moveReply{There: true, From: leader}, nil
			}
			if lost == nil {
				<-ctx.Done()
				lost = context.DeadlineExceeded
			}
			return moveReply{}, unanswered{leader, lost}
		},
	}
}

func TestAMoveThatAnotherCameBeforeIsDecidedAnew(t *testing.T) {
	stale := fmt.Errorf("move of g in epoch 168, the group is at 168: %w", fsm.ErrStale)
	moving := moveReply{Refuse: "g is moving to d3 just now"}
	for _, tt := range []struct {
		stale int
		reply moveReply
		err   string
	}{
		{0, moving, "<nil>"},
		{2, moving, "<nil>"},
		{3, moveReply{}, "g is moved by others at this moment: ask again (" + stale.Error() + ")"},
	} {
		asked := 0
		reply, err := settled("g", func() (moveReply, error) {
			if asked++; asked <= tt.stale {
				return moveReply{}, stale
			}
			return moving, nil
		})
		if reply != tt.reply || fmt.Sprint(err) != tt.err {
			t.Errorf("stale %d times: %+v, %v; want %+v, %s", tt.stale, reply, err, tt.reply, tt.err)
		}
	}
}

func TestAMoveIsDecidedByTheLeaderThatFollows(t *testing.T) {
	for name, tt := range map[string]struct {
		lost  error // nil: it hangs
		next  string
		after time.Duration
		want  string
		from  string
	}{
		"another":                            {next: "d3", after: 2 * time.Second, from: "d3"},
		"this one":                           {next: "d1", after: 2 * time.Second, from: "d1"},
		"none yet":                           {next: "", after: 2 * time.Second, from: "d1"},
		"one after a leader that was killed": {lost: &port.DialError{}, next: "d3", after: 2 * time.Second, from: "d3"},
		"nobody, and it hangs":               {after: time.Hour, want: "it is not known whether g is to move"},
		"nobody, and it was not asked":       {lost: &port.DialError{}, after: time.Hour, want: "nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reply, err := lostLeader(tt.lost, tt.next, tt.after).decide(t.Context(), "g")
				switch {
				case tt.want == "" && (err != nil || reply.From != tt.from):
					t.Errorf("%+v, %v; want the word of %s", reply, err, tt.from)
				case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		})
	}
}

func TestWhatALeaderRefusesIsAskedOfNoOther(t *testing.T) {
	l, asked := lostLeader(nil, "d3", time.Hour), 0
	l.there = func(context.Context, string) (moveReply, error) {
		asked++
		return moveReply{}, refusal{"d2", "has no quorum"}
	}
	if _, err := l.decide(t.Context(), "g"); !errors.As(err, &refusal{}) || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

func TestAMoveOfAGroupThatIsRemovedMeanwhileEndsAtOnce(t *testing.T) {
	_, s := alone(t, nodeConfig(t, "d1", fsm.LevelHistory))
	s.events = &eventLog{}
	err := s.awaitMove(t.Context(), api.MoveRequest{Group: "web", Director: "d2"}, moveReply{From: "d1", Epoch: 3, Index: s.node.State().Index}, 0, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "there is no group web any more, as of revision ") {
		t.Errorf("it says %v", err)
	}
}
