package cluster

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestElectionsTakeAsLongAsAnswersDoAndNoLongerThanThatIsSo(t *testing.T) {
	const usual = 100 * time.Millisecond
	p, at := newPace(usual), time.Unix(1000, 0)
	for _, step := range []struct {
		after, took   time.Duration
		timeout, wait time.Duration
		news          bool
	}{
		{0, usual / 2, usual, 0, false},
		{0, usual, 2 * usual, slowFor, true},
		{time.Second, usual * 9 / 10, 2 * usual, slowFor, false}, // still slow
		{time.Second, 2 * usual, 4 * usual, slowFor, true},
		{time.Second, usual / 10, 4 * usual, slowFor - time.Second, false}, // the next may be slow again
		{time.Second, usual, 4 * usual, slowFor, false},
		{time.Second, time.Minute, slowest * usual, slowFor, true},
		{slowFor - time.Second, usual / 10, slowest * usual, time.Second, false},
		{time.Second, usual / 10, usual, 0, false},
		{time.Hour, usual, 2 * usual, slowFor, true},
	} {
		at = at.Add(step.after)
		p.answered(step.took, at)
		news := len(p.news) == 1
		if news {
			<-p.news
		}
		if timeout, wait := p.timeout(at); timeout != step.timeout || wait != step.wait || news != step.news {
			t.Errorf("%+v: %v for %v, news %v", step, timeout, wait, news)
		}
	}
}

func TestASlowAnswerToAQuestionAboutVotesHasRaftWaitLonger(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	beat := ns[1].cfg.Heartbeat
	slow := transport{pace: ns[1].pace}
	if err := slow.timed(func() error { time.Sleep(2 * beat); return errors.New("no answer") }); err == nil {
		t.Error("the error is lost")
	}
	if timeout, _ := ns[1].pace.timeout(time.Now()); timeout != beat {
		t.Errorf("who did not answer is waited for: %v", timeout)
	}
	if err := slow.timed(func() error { time.Sleep(2 * beat); return nil }); err != nil {
		t.Error(err)
	}
	eventually(t, "Raft waits longer", func() error {
		if c := ns[1].raft.Load().ReloadableConfig(); c.HeartbeatTimeout < 4*beat || c.ElectionTimeout < 4*beat {
			return fmt.Errorf("%v and %v, usually %v", c.HeartbeatTimeout, c.ElectionTimeout, beat)
		}
		return nil
	})
}
