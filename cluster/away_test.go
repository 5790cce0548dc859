package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/port"
)

// fate is what becomes of what one member sends another.
type fate int

const (
	passes  fate = iota
	refused      // nobody listens, and what was connected is reset
	sunk         // it does not arrive, and nobody says so
)

// paths are the fates between members in memory, by who sends to whom.
type paths struct {
	mu    sync.Mutex
	fates map[[2]raft.ServerAddress]fate
	conns []*severable
}

func (p *paths) fate(from, to raft.ServerAddress) fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fates[[2]raft.ServerAddress{from, to}]
}

// set sets the fate of what one member sends all others, and of what they send it.
func (p *paths) set(one raft.ServerAddress, sends, receives fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fates = map[[2]raft.ServerAddress]fate{}
	for _, other := range []raft.ServerAddress{"d1", "d2", "d3"} {
		p.fates[[2]raft.ServerAddress{one, other}], p.fates[[2]raft.ServerAddress{other, one}] = sends, receives
	}
	for _, c := range p.conns {
		if p.fates[[2]raft.ServerAddress{c.from, c.to}] == refused {
			_ = c.Close()
		}
	}
}

// severed is a member's network, with those paths.
type severed struct {
	*ear
	*paths
}

// Dial implements [raft.StreamLayer], as the kernel does: it tries again after a second, and there is a limit.
func (s severed) Dial(to raft.ServerAddress, _ time.Duration) (net.Conn, error) {
	for _, wait := range []time.Duration{time.Second, port.DialLimit - time.Second} {
		switch there, back := s.fate(s.name, to), s.fate(to, s.name); {
		case there == refused || back == refused:
			return nil, syscall.ECONNREFUSED
		case there == passes && back == passes:
			here, accepted := net.Pipe()
			select {
			case s.pipes[to].conns <- s.severable(accepted, to, s.name):
				return s.severable(here, s.name, to), nil
			case <-s.pipes[to].ended:
				return nil, syscall.ECONNREFUSED
			}
		}
		time.Sleep(wait)
	}
	return nil, os.ErrDeadlineExceeded
}

func (p *paths) severable(c net.Conn, from, to raft.ServerAddress) net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := &severable{Conn: c, paths: p, from: from, to: to}
	p.conns = append(p.conns, s)
	return s
}

// severable is an end of a connection by a path. What is sent once something was lost is lost, too; the kernel gives up
// a connection from which it hears nothing.
type severable struct {
	net.Conn
	*paths
	from, to raft.ServerAddress
	giveUp   sync.Once
	lost     bool // Raft writes from one goroutine at a time
	closed   atomic.Bool
}

// Close implements [net.Conn].
func (s *severable) Close() error {
	s.closed.Store(true)
	return s.Conn.Close()
}

// Write implements [net.Conn].
func (s *severable) Write(b []byte) (int, error) {
	there := s.fate(s.from, s.to)
	if there == sunk || s.fate(s.to, s.from) == sunk {
		s.giveUp.Do(func() { time.AfterFunc(port.DeadAfter, func() { _ = s.Close() }) })
	}
	if s.lost = s.lost || there == sunk; s.lost && !s.closed.Load() {
		return len(b), nil
	}
	return s.Conn.Write(b)
}

// leaderOf waits until one of them leads and has begun its term.
func leaderOf(t *testing.T, ns []*Node) (leader *Node, others []*Node) {
	t.Helper()
	eventually(t, "one leads", func() error {
		leader, others = nil, nil
		for _, n := range ns {
			if n.raft.Load().State() == raft.Leader {
				leader = n
			} else {
				others = append(others, n)
			}
		}
		if leader == nil {
			return ErrNoLeader
		}
		return leader.raft.Load().Barrier(time.Second).Error()
	})
	return leader, others
}

// agree has a leader have something agreed.
func agree(t *testing.T, leader *Node) {
	t.Helper()
	if err := leader.raft.Load().Apply([]byte("one more"), time.Second).Error(); err != nil {
		t.Fatal(err)
	}
}

// snapshotFor has a leader try to send a snapshot to who is away, as it does when a member went away while it was sent one: it
// cannot send the log, and has tried that while leadership was handed over.
func snapshotFor(t *testing.T, leader *Node) {
	t.Helper()
	r := leader.raft.Load()
	c := r.ReloadableConfig()
	c.TrailingLogs = 1
	if err := errors.Join(r.ReloadConfig(c), r.Snapshot().Error()); err != nil {
		t.Fatal(err)
	}
	leader.handing.Add(1)
	time.Sleep(2 * time.Second)
	leader.handing.Add(-1)
}

// back has a member be away for a minute, in which things are agreed, and returns how long it then takes to be level.
func back(t *testing.T, p *paths, leader, member *Node, sends, receives fate, compact bool) time.Duration {
	t.Helper()
	one := raft.ServerAddress(member.cfg.Name)
	level := func() error {
		if is, want := member.raft.Load().AppliedIndex(), leader.raft.Load().LastIndex(); is < want {
			return errors.New("it is behind")
		}
		return nil
	}
	eventually(t, "it is level", level)
	p.set(one, sends, receives)
	for i := range 20 {
		time.Sleep(3 * time.Second)
		agree(t, leader)
		if compact && i == 3 {
			snapshotFor(t, leader)
		}
	}
	if level() == nil {
		t.Fatal("it is not away")
	}
	p.set(one, passes, passes)
	began := time.Now()
	eventually(t, "it is level", level)
	if leader.raft.Load().State() != raft.Leader {
		t.Error("another leads")
	}
	return time.Since(began)
}

// A member is level soon after it is back, however long it was away: a heartbeat is tried each half a second. Where what is
// sent is lost, it is the kernel that tries again after two seconds at most; and who needs a snapshot is sent the rest after it.
func TestWhoWasAwayIsLevelAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		sends, receives fate
		compact         bool
		limit           time.Duration
	}{
		"its agent was down":                        {refused, refused, false, time.Second},
		"its agent was down, and needs a snapshot":  {refused, refused, true, 2 * time.Second},
		"its path was cut":                          {sunk, sunk, false, 3 * time.Second},
		"its path was cut, and it needs a snapshot": {sunk, sunk, true, 4 * time.Second},
		"it was not heard":                          {sunk, passes, false, 3 * time.Second},
		"it did not hear":                           {passes, sunk, false, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &paths{}
				leader, others := leaderOf(t, cutThree(t, p))
				for range 2 {
					took := back(t, p, leader, others[0], tt.sends, tt.receives, tt.compact)
					if t.Log(took); took > tt.limit {
						t.Errorf("it took %v", took)
					}
				}
			})
		})
	}
	t.Run("control: nothing waits", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := &paths{}
			leader, others := leaderOf(t, cutThree(t, p))
			leader.away.awaited = func(raft.ServerID, uint64) error { return errTermOver }
			var longest time.Duration
			for range 8 { // Raft tries each ten seconds: it may be lucky
				longest = max(longest, back(t, p, leader, others[0], refused, refused, false))
			}
			if longest < 3*time.Second {
				t.Errorf("it took %v at most: this shows nothing", longest)
			}
		})
	})
}

// cutThree are three members in memory, with those paths.
func cutThree(t *testing.T, p *paths) []*Node {
	t.Helper()
	return memoryThree(t, func(e *ear) raft.StreamLayer { return severed{e, p} }, func(_ *Node, trans transport) raft.Transport { return trans })
}

func TestNothingIsHeldUpByWhoIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paths{}
		leader, others := leaderOf(t, cutThree(t, p))
		gone := others[0]
		p.set(raft.ServerAddress(gone.cfg.Name), refused, refused)
		agree(t, leader)
		time.Sleep(20 * time.Second)
		id, r := raft.ServerID(gone.id.ID), leader.raft.Load()
		term := r.CurrentTerm()
		if err := leader.awaited(id, term); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			id   raft.ServerID
			term uint64
			hand int32
			want error
		}{{id, term - 1, 0, errTermOver}, {"stranger", term, 0, errNoServer}, {id, term, 1, errHandedOver}} {
			leader.handing.Store(tt.hand)
			if err := leader.awaited(tt.id, tt.term); !errors.Is(err, tt.want) {
				t.Errorf("%s is waited for in term %d, %d hand over: %v", tt.id, tt.term, tt.hand, err)
			}
			leader.handing.Store(0)
		}
		began := time.Now()
		if err := r.RemoveServer(id, 0, time.Second).Error(); err != nil || time.Since(began) > time.Second {
			t.Errorf("it is removed after %v: %v", time.Since(began), err)
		}
		if err := r.AddVoter(id, raft.ServerAddress(id), 0, time.Second).Error(); err != nil {
			t.Error(err)
		}
		time.Sleep(20 * time.Second)
		began = time.Now()
		if err := r.Shutdown().Error(); err != nil || time.Since(began) > 2*awayTick {
			t.Errorf("the leader stops after %v: %v", time.Since(began), err)
		}
	})
}

func TestWaitingForWhoIsAwayEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		term uint64 // of what is to be sent, while heartbeats fail in term 7
		then func(*away, context.CancelFunc, *error)
		took time.Duration
		want error
	}{
		"in another term none has failed": {8, nil, 0, nil},
		"it answers":                      {7, func(a *away, _ context.CancelFunc, _ *error) { a.heartbeat("d1", 7, nil) }, time.Minute, nil},
		"no news of it": {7, func(a *away, _ context.CancelFunc, _ *error) {
			a.heartbeat("d1", 7, errJammed)
			a.heartbeat("d1", 6, errJammed)
			a.heartbeat("d2", 7, nil)
		}, 2 * time.Minute, context.Canceled},
		"the term is over":   {7, func(_ *away, _ context.CancelFunc, why *error) { *why = errTermOver }, time.Minute, errTermOver},
		"the node ends":      {7, func(_ *away, end context.CancelFunc, _ *error) { end() }, time.Minute, context.Canceled},
		"a new term's fails": {7, func(a *away, _ context.CancelFunc, _ *error) { a.heartbeat("d1", 8, errJammed) }, time.Minute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				life, end := context.WithCancel(t.Context())
				defer end()
				var mu sync.Mutex
				var why error
				a := &away{life: life, awaited: func(raft.ServerID, uint64) error {
					mu.Lock()
					defer mu.Unlock()
					return why
				}}
				a.heartbeat("d1", 7, errJammed)
				began := time.Now()
				var news sync.WaitGroup
				defer news.Wait()
				news.Go(func() {
					time.Sleep(time.Minute)
					mu.Lock()
					if tt.then != nil {
						tt.then(a, end, &why)
					}
					mu.Unlock()
					time.Sleep(time.Minute)
					end()
				})
				_, err := a.wait("d1", tt.term)
				if took := time.Since(began); took < tt.took || took > tt.took+awayTick || !errors.Is(err, tt.want) {
					t.Errorf("it ends after %v: %v", took, err)
				}
			})
		})
	}
}

func TestAnAbsenceEndsWithItsTerm(t *testing.T) {
	a := &away{}
	a.heartbeat("removed", 7, errJammed)
	a.heartbeat("d1", 7, errJammed)
	a.heartbeat("d1", 8, errJammed)
	a.heartbeat("d2", 8, nil)
	if _, is := a.absences["d1"]; len(a.absences) != 1 || !is {
		t.Errorf("away: %v", a.absences)
	}
}
