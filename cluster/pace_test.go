package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestElectionsTakeAsLongAsAnswersDoAndNoLongerThanThatIsSo(t *testing.T) {
	const usual, fast = 100 * time.Millisecond, 10 * time.Millisecond
	p, at := newPace(usual), time.Unix(1000, 0)
	for _, step := range []struct {
		after, took   time.Duration // and it is asked again at once, and answers as slowly
		timeout, wait time.Duration
		news          bool
	}{
		{0, usual / 2, usual, 0, false},
		{0, usual, 2 * usual, slowFor, true},
		{usual, usual * 9 / 10, 2 * usual, slowFor, false}, // still slow
		{usual, 2 * usual, 4 * usual, slowFor, true},
		{usual, fast, 4 * usual, slowFor - usual - 2*fast, false}, // the next may be slow again
		{usual, usual, 4 * usual, slowFor, false},
		{usual, slowest * usual, slowest * usual, slowFor, true},
		{slowFor - time.Second, fast, slowest * usual, time.Second - 2*fast, false},
		{time.Second, fast, usual, 0, false},
		{time.Hour, usual, 2 * usual, slowFor, true},
	} {
		at = at.Add(step.after)
		for range 2 {
			p.answered("d2", at, at.Add(step.took))
			at = at.Add(step.took)
		}
		news := len(p.news) == 1
		if news {
			<-p.news
		}
		if timeout, wait := p.timeout(at); timeout != step.timeout || wait != step.wait || news != step.news {
			t.Errorf("%+v: %v for %v, news %v", step, timeout, wait, news)
		}
	}
}

func TestAnElectionUnderLoadTakesAsLongAsTheAnswersOfOneMember(t *testing.T) {
	const usual, took = 500 * time.Millisecond, 1200 * time.Millisecond // each answer comes after the next question
	p, begin := newPace(usual), time.Unix(1000, 0)
	for asked := time.Duration(0); asked < 3*time.Second; asked += 2 * usual {
		p.answered("d2", begin.Add(asked), begin.Add(asked+took))
	}
	if timeout, _ := p.timeout(begin.Add(4 * time.Second)); timeout < perRound*took {
		t.Errorf("the timeout is %v, answers take %v", timeout, took)
	}
}

// Where processors are short, Raft's timers are as late as the answers are.
func TestElectionsTakeLongerThoughTheNextQuestionIsLate(t *testing.T) {
	const usual, took = 500 * time.Millisecond, 1200 * time.Millisecond
	p, asked := newPace(usual), time.Unix(1000, 0)
	for range 4 {
		at := asked.Add(took)
		p.answered("d2", asked, at)
		timeout, _ := p.timeout(at)
		asked = at.Add(timeout * 5 / 2)
	}
	if timeout, _ := p.timeout(asked); timeout < perRound*took {
		t.Errorf("the timeout is %v, answers take %v", timeout, took)
	}
}

// A director whose cluster port was cut asks for votes all the while. Its questions are answered when the cut is healed,
// by members that are fast: each connection goes on when its kernel tries again, which is later the longer it has tried.
func TestAnswersThatACutHasHeldUpAreNotSlow(t *testing.T) {
	const usual = 500 * time.Millisecond
	p, begin := newPace(usual), time.Unix(1000, 0)
	ms := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Millisecond) }
	for cut := range 3 { // it may be cut again, and asks as before
		for _, answer := range []struct {
			by        raft.ServerID
			asked, at int // in ms
		}{
			{"d2", 3200, 4010}, {"d3", 3900, 4020}, {"d3", 3200, 4800}, {"d2", 2400, 4500}, {"d3", 1700, 5700},
			{"d2", 4100, 4110}, {"d3", 4100, 4102}, // asked when it is healed
			{"d2", 800, 5900},
			{"d2", 4600, 9000}, // cut again at once
		} {
			p.answered(answer.by, ms(cut*10_000+answer.asked), ms(cut*10_000+answer.at))
			if timeout, _ := p.timeout(ms(cut*10_000 + answer.at)); timeout != usual {
				t.Fatalf("cut %d, %+v: the timeout is %v", cut, answer, timeout)
			}
		}
	}
}

func TestWhoDoesNotAnswerIsNotWaitedFor(t *testing.T) {
	const usual = 5 * time.Millisecond
	slow := transport{pace: newPace(usual)}
	for range 3 { // one slow answer alone would change nothing
		if err := slow.timed("d2", func() error { time.Sleep(2 * usual); return errors.New("no answer") }); err == nil {
			t.Error("the error is lost")
		}
		if timeout, _ := slow.pace.timeout(time.Now()); timeout != usual {
			t.Errorf("the timeout is %v", timeout)
		}
	}
}

func TestASlowAnswerToAQuestionAboutVotesHasRaftWaitLonger(t *testing.T) {
	t.Parallel()
	ns := three(t)
	beat := ns[1].cfg.Heartbeat
	slow := transport{pace: ns[1].pace}
	eventually(t, "Raft waits longer", func() error { // unless it leads
		for range 2 {
			if err := slow.timed("d2", func() error { time.Sleep(2 * beat); return nil }); err != nil {
				return err
			}
		}
		if c := ns[1].raft.Load().ReloadableConfig(); c.HeartbeatTimeout < 4*beat || c.ElectionTimeout < 4*beat {
			makeLead(t, ns[0], ns)
			return fmt.Errorf("%v and %v, usually %v", c.HeartbeatTimeout, c.ElectionTimeout, beat)
		}
		return nil
	})
	if ns[1].timeout() < 4*beat {
		t.Errorf("who asks for a leader waits %v", ns[1].timeout())
	}
}
