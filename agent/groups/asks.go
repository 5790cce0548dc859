package groups

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/quorate/quorate/director/ownership"
)

// PathAttest is where a director says what it knows of groups.
const PathAttest = "/peer/attest"

// together is for how long questions of the same kind to one member wait for each other, at most. Groups fall silent
// at times of their own: so a member is asked this often and not for each of a thousand groups.
const together = 20 * time.Millisecond

// Asking is a question about a group.
type Asking struct {
	Group string `json:"group"`
	ownership.Question
}

// Answering is the answer to one.
type Answering struct {
	Word   ownership.Attestation `json:"word"`
	Refuse string                `json:"refuse,omitempty"`
}

// asks are questions that are answered at once, by what a director knows.
type asks struct {
	mu   sync.Mutex
	next map[whom]*batch    // not sent yet
	last map[whom]time.Time // when one was sent
}

// whom tells questions that may go together.
type whom struct {
	to     string
	within time.Duration
}

// batch is questions that go together.
type batch struct {
	begun     time.Time // with the first
	questions []Asking
	askers    []asker
}

// asker is who waits for an answer.
type asker struct {
	of *group
	id uint64
}

// attest asks a member what it knows of a group, with what it is asked about others at about the same time. The first
// question goes at once; those that follow soon wait for each other.
func (d *Driver) attest(x *group, a ownership.Ask) {
	w, now := whom{a.To, a.Within}, time.Now()
	d.asks.mu.Lock()
	defer d.asks.mu.Unlock()
	b := d.asks.next[w]
	if b == nil {
		b = &batch{begun: now}
		d.asks.next[w] = b
		wait := d.asks.last[w].Add(min(together, a.Within/10)).Sub(now)
		d.cfg.Go(func() { d.send(w, b, wait) })
	}
	b.questions = append(b.questions, Asking{x.name, a.Question})
	b.askers = append(b.askers, asker{x, a.ID})
}

// send asks what has gathered in a while, and tells the machines what was answered.
func (d *Driver) send(w whom, b *batch, wait time.Duration) {
	ctx, cancel := context.WithDeadline(d.ctx, b.begun.Add(w.within))
	defer cancel()
	if wait > 0 {
		pause(ctx, wait)
	}
	d.asks.mu.Lock()
	delete(d.asks.next, w)
	d.asks.last[w] = time.Now()
	d.asks.mu.Unlock()
	var answers []Answering
	err := d.cfg.Ask(ctx, w.to, PathAttest, b.questions, &answers)
	if err == nil && len(answers) != len(b.questions) {
		err = fmt.Errorf("%s gives %d answers to %d questions", w.to, len(answers), len(b.questions))
	}
	d.tell(func() {
		for i, x := range b.askers {
			out := ownership.Done{ID: x.id, Err: err}
			if err == nil {
				out.Word = answers[i].Word
				if why := answers[i].Refuse; why != "" {
					out.Err = ownership.Refusal(w.to + " " + why)
				}
			}
			d.events = append(d.events, happening{group: x.of.name, event: out, of: x.of})
		}
	})
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

var errOther = errors.New("is asked for more than what it knows")

// Attest takes questions of another member about groups, and returns what the machines reply. It waits no longer than
// ctx or Run last.
func (d *Driver) Attest(ctx context.Context, from string, all []Asking) ([]Answering, error) {
	replies := make([]chan ownership.Reply, len(all))
	for i, q := range all {
		if q.Kind != ownership.Attest {
			return nil, errOther
		}
		replies[i] = make(chan ownership.Reply, 1)
	}
	d.tell(func() {
		for i, q := range all {
			d.events = append(d.events, happening{group: q.Group, event: ownership.Asked{From: from, Question: q.Question}, reply: replies[i]})
		}
	})
	out := make([]Answering, len(all))
	for i, reply := range replies {
		select {
		case r := <-reply:
			out[i] = Answering{r.Word, r.Refuse}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-d.ended:
			return nil, errEnded
		}
	}
	return out, nil
}
