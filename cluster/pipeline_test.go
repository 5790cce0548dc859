package cluster

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// wire is a pipeline that notes what is sent over it: the last entry that the member should have, and what is agreed.
type wire struct {
	raft.AppendPipeline
	mu     sync.Mutex
	sent   [][2]uint64
	jams   bool
	closed chan struct{}
}

func (w *wire) AppendEntries(r *raft.AppendEntriesRequest, _ *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	w.mu.Lock()
	last := r.PrevLogEntry
	if n := len(r.Entries); n > 0 {
		last = r.Entries[n-1].Index
	}
	w.sent = append(w.sent, [2]uint64{last, r.LeaderCommitIndex})
	jams := w.jams
	w.mu.Unlock()
	if jams {
		<-w.closed
		return nil, raft.ErrPipelineShutdown
	}
	return nil, nil
}

func (w *wire) Close() error {
	select {
	case <-w.closed:
	default:
		close(w.closed)
	}
	return nil
}

// takes returns what was sent since it was asked last.
func (w *wire) takes() [][2]uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.sent
	w.sent = nil
	return out
}

// leading is a leader with a pipeline.
type leading struct {
	wire   *wire
	pipe   *pipeline
	bells  *bells
	mu     sync.Mutex
	agreed uint64
	term   uint64
}

func newLeading(before sent) *leading {
	l := &leading{wire: &wire{closed: make(chan struct{})}, bells: &bells{}, term: 3}
	l.pipe = newPipeline(l.wire, before, func() bool { return false }, func(term uint64) (uint64, bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.agreed, term == l.term
	}, l.bells)
	return l
}

// agrees has more agreed, and says so.
func (l *leading) agrees(index, term uint64) {
	l.mu.Lock()
	l.agreed, l.term = index, term
	l.mu.Unlock()
	l.bells.ring()
	synctest.Wait()
}

// empty is what Raft asks for each [raft.Config.CommitTimeout].
func (l *leading) empty(last, agreed uint64) error {
	_, err := l.pipe.AppendEntries(&raft.AppendEntriesRequest{Term: 3, PrevLogEntry: last, PrevLogTerm: 3, LeaderCommitIndex: agreed}, nil)
	return err
}

func TestAPipelineSaysWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeading(sent{})
		defer l.pipe.Close()
		want := func(name string, want ...[2]uint64) {
			t.Helper()
			if got := l.wire.takes(); !slices.Equal(got, want) {
				t.Errorf("%s: sent %v, want %v", name, got, want)
			}
		}
		l.agrees(6, 3)
		want("of a member nothing is known yet")
		_ = l.empty(7, 6)
		want("the first request", [2]uint64{7, 6})
		for range 10 {
			_ = l.empty(7, 6)
			time.Sleep(repeatEvery / 20)
		}
		want("what the member knows already")
		time.Sleep(repeatEvery)
		_ = l.empty(7, 6)
		want("but each second it is said again", [2]uint64{7, 6})
		l.agrees(7, 3)
		want("what is agreed is said at once", [2]uint64{7, 7})
		_ = l.empty(7, 7)
		want("and not again by Raft")
		_, _ = l.pipe.AppendEntries(&raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 7, PrevLogTerm: 3, LeaderCommitIndex: 7, Entries: []*raft.Log{{Index: 8, Term: 3}, {Index: 9, Term: 3}}}, nil)
		want("entries", [2]uint64{9, 7})
		l.agrees(12, 3)
		want("not more than the member was sent is said to be agreed", [2]uint64{9, 9})
		l.agrees(9, 3)
		want("nor what it knows")
		_, _ = l.pipe.AppendEntries(&raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 9, PrevLogTerm: 3, LeaderCommitIndex: 9, Entries: []*raft.Log{{Index: 10, Term: 3}}}, nil)
		want("one more", [2]uint64{10, 9})
		l.agrees(10, 4)
		want("what is agreed in another term is not this leader's to say")
	})
}

// What Raft sends says what was agreed when it was made. What was agreed until it is sent is said right after, or a member
// that has nothing else coming would hear it up to a second later.
func TestAPipelineSaysWhatWasAgreedWhileRaftWasSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeading(sent{})
		defer l.pipe.Close()
		_ = l.empty(7, 7)
		l.agrees(9, 3) // by the other members: this one was not sent it
		_, _ = l.pipe.AppendEntries(&raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 7, PrevLogTerm: 3, LeaderCommitIndex: 7, Entries: []*raft.Log{{Index: 8, Term: 3}, {Index: 9, Term: 3}}}, nil)
		synctest.Wait()
		if got, want := l.wire.takes(), [][2]uint64{{7, 7}, {9, 7}, {9, 9}}; !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}

func TestANewPipelineSaysWhatWasAgreedSinceTheRequestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := sent{raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 5, LeaderCommitIndex: 5, Entries: []*raft.Log{{Index: 6, Term: 3}}}, time.Now()}
		l := newLeading(before.withoutEntries())
		defer l.pipe.Close()
		l.agrees(6, 3)
		if got := l.wire.takes(); !slices.Equal(got, [][2]uint64{{6, 6}}) {
			t.Errorf("sent %v", got)
		}
	})
}

func TestAPipelineThatIsStuckIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeading(sent{})
		defer l.pipe.Close()
		_ = l.empty(7, 6)
		l.wire.mu.Lock()
		l.wire.jams = true
		l.wire.mu.Unlock()
		l.agrees(7, 3) // which is never taken
		begin := time.Now()
		if err := l.empty(7, 7); !errors.Is(err, errJammed) || time.Since(begin) != jammedAfter {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
	})
}

func TestWhatIsAgreedIsKnownToAllAtOnce(t *testing.T) {
	t.Parallel()
	ns := three(t)
	makeLead(t, ns[0], ns)
	var all []time.Duration
	for i := range 9 {
		if err := ns[0].Propose(t.Context(), drain("a", i%2 == 0)); err != nil {
			t.Fatal(err)
		}
		begin, index := time.Now(), ns[0].State().Index
		eventually(t, "all know", func() error {
			for _, n := range ns {
				if n.State().Index < index {
					return errors.New("one does not")
				}
			}
			return nil
		})
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	if limit := ns[0].cfg.commitTimeout(); all[len(all)/2] >= limit/2 { // by Raft alone it would be at least that, mostly
		t.Errorf("after %v, Raft itself says it after %v", all, limit)
	}
	t.Logf("%v", all)
}
