package cluster

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
)

// reluctant is the transport of who can have nobody else lead.
type reluctant struct {
	transport
	asked *atomic.Int64
}

// TimeoutNow implements [raft.Transport].
func (r reluctant) TimeoutNow(raft.ServerID, raft.ServerAddress, *raft.TimeoutNowRequest, *raft.TimeoutNowResponse) error {
	r.asked.Add(1)
	return errors.New("it does not stand")
}

// A leader that is too old and that nobody relieves tries ever more rarely, and at once when somebody answers again. It says
// once why it still leads.
func TestALeaderThatIsTooOldHandsOverRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, said, asked := &paths{}, &bytes.Buffer{}, &atomic.Int64{}
		ns := memoryThree(t, func(e *ear) raft.StreamLayer { return severed{e, p} }, func(n *Node, trans transport) raft.Transport {
			n.machine, n.part = newMachine(hclog.NewNullLogger()), t.Context()
			n.machine.state.Store(&fsm.State{Members: map[string]fsm.Member{"d1": {}, "d2": {}, "d3": {}}})
			n.away.back = make(chan struct{}, 1)
			return reluctant{trans, asked}
		})
		leader, others := leaderOf(t, ns)
		leader.log = hclog.New(&hclog.LoggerOptions{Output: said})
		leader.machine.halted.Store(&HaltError{Cause: errUnsupported})
		ctx, end := context.WithCancel(t.Context())
		var yields sync.WaitGroup
		yields.Go(func() { _ = leader.yieldTooOld(ctx) })
		defer yields.Wait()
		defer end()
		time.Sleep(5 * time.Minute)
		before := asked.Load()
		time.Sleep(5 * time.Minute)
		if now := asked.Load() - before; before == 0 || now > 12*25 { // a try asks for a second
			t.Errorf("it asked %d times in five minutes, and %d times in five more", before, now)
		}
		gone := raft.ServerAddress(others[0].cfg.Name)
		p.set(gone, refused, refused)
		time.Sleep(2 * time.Minute)
		p.set(gone, passes, passes)
		before = asked.Load()
		time.Sleep(2 * time.Second)
		if asked.Load() == before {
			t.Error("it does not try when one is back")
		}
		end()
		yields.Wait()
		if is := strings.Count(said.String(), "not given away"); is != 1 {
			t.Errorf("it said so %d times:\n%s", is, said)
		}
	})
}
