package cluster

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
)

// pipes is a network in memory: an address is the name of who listens there.
type pipes map[raft.ServerAddress]*ear

// ear is where one of it listens, and from where it dials.
type ear struct {
	pipes pipes
	name  raft.ServerAddress
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

// Dial implements [raft.StreamLayer].
func (e *ear) Dial(to raft.ServerAddress, _ time.Duration) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case e.pipes[to].conns <- there:
		return here, nil
	case <-e.pipes[to].ended:
		return nil, net.ErrClosed
	}
}

// Accept implements [net.Listener].
func (e *ear) Accept() (net.Conn, error) {
	select {
	case c := <-e.conns:
		return c, nil
	case <-e.ended:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (e *ear) Close() error {
	e.once.Do(func() { close(e.ended) })
	return nil
}

// Addr implements [net.Listener].
func (e *ear) Addr() net.Addr { return raftAddr(e.name) }

// starved is the transport of a member whose processors are short: it answers a question about votes late. All else is
// on its way by connections that are there already, and costs little.
type starved struct {
	transport
	late  time.Duration
	rpcs  chan raft.RPC
	asked *atomic.Int64 // how often a vote was asked for
}

// Consumer implements [raft.Transport].
func (s starved) Consumer() <-chan raft.RPC { return s.rpcs }

// consume hands on what comes, until ctx ends.
func (s starved) consume(ctx context.Context) {
	hand := func(rpc raft.RPC) {
		select {
		case s.rpcs <- rpc:
		case <-ctx.Done():
			rpc.Respond(nil, errors.New("ended"))
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case rpc := <-s.transport.Consumer():
			switch rpc.Command.(type) {
			case *raft.RequestPreVoteRequest, *raft.RequestVoteRequest:
				s.asked.Add(1)
				time.AfterFunc(s.late, func() { hand(rpc) })
			default:
				hand(rpc)
			}
		}
	}
}

// memoryThree are three members in memory, with the timeouts that they really have, until the test ends. Wrap is what is done
// to a member's network and layer to its transport.
func memoryThree(t *testing.T, wrap func(*ear) raft.StreamLayer, layer func(*Node, transport) raft.Transport) (ns []*Node) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	network, all := pipes{}, raft.Configuration{}
	names := []raft.ServerAddress{"d1", "d2", "d3"}
	for _, name := range names {
		network[name] = &ear{pipes: network, name: name, conns: make(chan net.Conn), ended: make(chan struct{})}
		all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(name), Address: name})
	}
	var running sync.WaitGroup
	for _, name := range names {
		n := &Node{cfg: Config{Name: string(name), Heartbeat: 500 * time.Millisecond}, log: hclog.NewNullLogger(), leadership: make(chan bool, 16), store: &logstore.Store{}, pace: newPace(500 * time.Millisecond)}
		n.id.ID = string(name)
		n.away.life, n.away.awaited = ctx, n.awaited
		wire := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: wrap(network[name]), MaxPool: 3, Timeout: 10 * time.Second, Logger: n.log})
		trans := layer(n, transport{wire, func() bool { return false }, func() error { return nil }, func() error { return nil }, n.leadsIn, &n.agreed, &n.took, n.pace, &n.away})
		store, snapshots := raft.NewInmemStore(), raft.NewInmemSnapshotStore()
		if err := raft.BootstrapCluster(n.raftConfig(), store, store, snapshots, trans, all); err != nil {
			t.Fatal(err)
		}
		if slow, ok := trans.(starved); ok {
			running.Go(func() { slow.consume(ctx) })
		}
		r, err := raft.NewRaft(n.raftConfig(), mute{}, store, store, snapshots, trans)
		if err != nil {
			t.Fatal(err)
		}
		n.raft.Store(r)
		running.Go(func() { n.beatsWhileItLeads(ctx) })
		ns = append(ns, n)
	}
	t.Cleanup(func() {
		for _, n := range ns {
			if err := n.raft.Load().Shutdown().Error(); err != nil {
				t.Error(err)
			}
		}
		cancel()
		running.Wait()
	})
	return ns
}

// starvedThree are three members in memory, each of which answers questions about votes so late. Paced says whether their
// elections take as long as the answers do.
func starvedThree(t *testing.T, late time.Duration, paced bool) (ns []*Node, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	ns = memoryThree(t, func(e *ear) raft.StreamLayer { return e }, func(_ *Node, trans transport) raft.Transport {
		return starved{trans, late, make(chan raft.RPC), asked}
	})
	if paced {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, n := range ns {
			running.Go(func() { _ = n.keepPace(ctx) })
		}
		t.Cleanup(func() {
			cancel()
			running.Wait()
		})
	}
	return ns, asked
}

// beatsWhileItLeads has this node send its heartbeats in each of its terms, until ctx ends.
func (n *Node) beatsWhileItLeads(ctx context.Context) {
	for leads := false; ctx.Err() == nil; {
		term, over := context.WithCancel(ctx)
		var beats sync.WaitGroup
		if leads {
			beats.Go(func() { n.beats(term) })
		}
		select {
		case <-ctx.Done():
		case leads = <-n.leadership:
		}
		over()
		beats.Wait()
	}
}

// turnovers counts for a while how often another member leads than before, and returns who does at last: nil for nobody.
func turnovers(ns []*Node, during time.Duration) (leader *Node, count int) {
	for begin := time.Now(); time.Since(begin) < during; time.Sleep(10 * time.Millisecond) {
		was := leader
		leader = nil
		for _, n := range ns {
			if n.raft.Load().State() == raft.Leader {
				leader = n
			}
		}
		if leader != was {
			count++
		}
	}
	return leader, count
}

// Members whose processors are short answer questions about votes later than an election lasts that takes as long as usual.
// It ends without them, and the next begins, for as long as that is so. One that takes as long as the answers do has
// a leader, who stays.
func TestMembersThatAnswerLateHaveALeaderWhereElectionsTakeAsLongAsAnswers(t *testing.T) {
	const late = 1200 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		ns, asked := starvedThree(t, late, true)
		if leader, _ := turnovers(ns, time.Minute); leader == nil {
			t.Fatalf("nobody leads after a minute; votes were asked for %d times", asked.Load())
		}
		before := asked.Load()
		if leader, count := turnovers(ns, 5*time.Minute); leader == nil || count != 1 || asked.Load() != before {
			t.Errorf("then the leader changes %d times in five minutes, and votes are asked for %d times", count-1, asked.Load()-before)
		}
	})
	t.Run("control: usual elections", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ns, asked := starvedThree(t, late, false)
			if leader, count := turnovers(ns, 5*time.Minute); leader != nil || count > 0 || asked.Load() < 300 {
				t.Errorf("the leader changes %d times in five minutes, and votes are asked for %d times: the answers are too early to show anything", count, asked.Load())
			}
		})
	})
}
