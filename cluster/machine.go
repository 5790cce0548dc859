package cluster

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/fsm"
)

// HaltError means that an entry of the log cannot be applied on this director: it cannot be decoded,
// or its apply panics, or it comes after the cluster went to a feature level that this binary does not support. Nothing
// after it is applied; the state stays as of the entry before it.
type HaltError struct {
	Index uint64
	Cause error
}

// TooOld reports whether it is the binary that is to be replaced, and the log is as it should be.
func (e *HaltError) TooOld() bool { return errors.Is(e.Cause, errUnsupported) }

// Error implements error.
func (e *HaltError) Error() string {
	if e.TooOld() {
		return fmt.Sprintf("%v there, then `systemctl restart quorate quorate-keeper`; until then log entry %d and all after it is not applied", e.Cause, e.Index)
	}
	return fmt.Sprintf("log entry %d cannot be applied here, and nothing after it: %v; if other directors run a newer version (`quorate upgrade status`), install that here, then `systemctl restart quorate quorate-keeper`", e.Index, e.Cause)
}

// Unwrap returns the cause.
func (e *HaltError) Unwrap() error { return e.Cause }

// machine makes states of entries. It never goes backwards: what it has applied once, by replay or
// through Raft, it skips when Raft hands it over again.
type machine struct {
	log      hclog.Logger
	onChange func(prev, next *fsm.State, changes []fsm.Change)
	onAgreed func()                // before what is agreed is applied
	supports func(level int) error // nil: it is not asked, and every level will do

	state  atomic.Pointer[fsm.State]
	halted atomic.Pointer[HaltError]

	applying sync.Mutex // held while a new state is made

	mu      sync.Mutex
	changed chan struct{} // closed when there is a new state; then another takes its place
	recent  [recentHashes]hashed
	waiting map[chan struct{}]uint64 // who waits for an index: a channel that is closed then
}

// recentHashes is for how many entries back a node knows the hash that its state had: as far as a report may be late.
const recentHashes = 1024

// hashed is the hash of the state at an index.
type hashed struct {
	index uint64
	hash  string
}

func newMachine(log hclog.Logger) *machine {
	m := &machine{log: log, changed: make(chan struct{}), waiting: map[chan struct{}]uint64{}}
	empty := fsm.Empty
	m.state.Store(&empty)
	return m
}

// Apply implements [raft.FSM]. What it returns reaches the proposer: nil, why the command was
// refused, or a *HaltError.
func (m *machine) Apply(l *raft.Log) any { return m.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements [raft.BatchingFSM]: the entries that were agreed at one moment. Who proposed them is told when all
// are applied, so that the answers to another director go together.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	if m.onAgreed != nil {
		m.onAgreed()
	}
	m.applying.Lock()
	defer m.applying.Unlock()
	results := make([]any, len(logs))
	for i, l := range logs {
		if l.Type == raft.LogCommand { // else it is Raft's own
			results[i] = m.apply(l)
		}
	}
	return results
}

func (m *machine) apply(l *raft.Log) any {
	prev := m.state.Load()
	if l.Index <= prev.Index {
		return nil // applied before this node started
	}
	if h := m.halted.Load(); h != nil {
		return h
	}
	next, changes, refused, cause := step(*prev, l.Index, l.Data)
	if cause != nil {
		return m.halt(l.Index, cause)
	}
	m.publish(prev, &next, changes)
	if next.Level != prev.Level {
		m.checkLevel(&next)
	}
	if refused != nil {
		return refused
	}
	return nil
}

// checkLevel halts the machine behind a state of a feature level that this binary does not support: from there on it
// would understand the log otherwise than the others, and nobody would see that before their states differ.
func (m *machine) checkLevel(s *fsm.State) {
	if m.supports == nil || s.ClusterID == "" {
		return
	}
	if err := m.supports(s.Level); err != nil {
		m.halt(s.Index+1, err)
	}
}

// step applies one entry. refused is the same on every replica; cause means that it cannot be
// applied here at all.
func step(s fsm.State, index uint64, entry []byte) (next fsm.State, changes []fsm.Change, refused, cause error) {
	defer func() {
		if p := recover(); p != nil {
			cause = fmt.Errorf("panic: %v", p)
		}
	}()
	cmd, err := fsm.Decode(entry)
	if err != nil {
		return s, nil, nil, err
	}
	next, changes, refused = fsm.Apply(s, index, cmd)
	return next, changes, refused, nil
}

func (m *machine) halt(index uint64, cause error) *HaltError {
	h := &HaltError{Index: index, Cause: cause}
	m.halted.Store(h)
	m.log.Error("halted: nothing more is applied here", "err", h)
	m.poke()
	return h
}

func (m *machine) publish(prev, next *fsm.State, changes []fsm.Change) {
	if next.Level >= fsm.LevelSum { // before that a hash costs as much as a snapshot
		m.mu.Lock()
		m.recent[next.Index%recentHashes] = hashed{next.Index, next.Hash()}
		m.mu.Unlock()
	}
	m.state.Store(next)
	if m.onChange != nil {
		m.onChange(prev, next, changes)
	}
	m.poke()
}

func (m *machine) poke() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.changed)
	m.changed = make(chan struct{})
	index, halted := m.state.Load().Index, m.halted.Load() != nil
	for there, at := range m.waiting {
		if at <= index || halted {
			close(there)
			delete(m.waiting, there)
		}
	}
}

// reached returns a channel that is closed when the state shows an index, or none can be applied any more. Leave is to be
// called by who waits no longer. What wakes at every change would wake all who wait at each of their entries.
func (m *machine) reached(index uint64) (there <-chan struct{}, leave func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan struct{})
	if m.state.Load().Index >= index || m.halted.Load() != nil {
		close(c)
		return c, func() {}
	}
	m.waiting[c] = index
	return c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.waiting, c)
	}
}

// hashAt returns the hash of the state at an index, if that was not long ago.
func (m *machine) hashAt(index uint64) (string, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.recent[index%recentHashes]
	return h.hash, h.hash != "" && h.index == index
}

// replace puts the state of another machine into the place of this one's, and applies first what is in the log
// between the two. Nothing is applied meanwhile.
func (m *machine) replace(by *machine, s *logstore.Store, text string) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	prev := m.state.Load()
	if at := by.state.Load().Index; at < prev.Index {
		if err := by.follow(s, at, prev.Index); err != nil {
			return err
		}
	}
	next := by.state.Load()
	if next.Index < prev.Index {
		return fmt.Errorf("what there is to make the state from leads to log entry %d, and %d was applied", next.Index, prev.Index)
	}
	m.mu.Lock()
	m.recent = [recentHashes]hashed{}
	m.mu.Unlock()
	m.publish(prev, next, append([]fsm.Change{{Kind: fsm.StateHealed, Text: text}}, differences(prev, next)...))
	m.checkLevel(next)
	return nil
}

// next returns a channel that is closed when something changes after the call.
func (m *machine) next() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

// Snapshot implements [raft.FSM]. A machine that is halted has none: Raft believes that it applied
// what came after, and would throw those entries away.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if h := m.halted.Load(); h != nil {
		return nil, fmt.Errorf("no snapshot: %w", h)
	}
	return snapshot{m.state.Load()}, nil
}

// Restore implements [raft.FSM]. The snapshot is read whole and verified before it takes the
// state's place.
func (m *machine) Restore(r io.ReadCloser) error {
	next, err := fsm.ReadSnapshot(r)
	m.applying.Lock()
	defer m.applying.Unlock()
	if err = errors.Join(err, r.Close()); err != nil {
		var newer *fsm.NewerError
		if errors.As(err, &newer) && m.supports != nil {
			err = errors.Join(m.supports(newer.Level), err)
			if m.halted.Load() == nil {
				m.halt(m.state.Load().Index+1, err)
			}
		}
		return fmt.Errorf("restore snapshot: %w", err)
	}
	if h := m.halted.Load(); h != nil && next.Index >= h.Index {
		m.halted.Store(nil) // whoever made it could apply that entry
	}
	if prev := m.state.Load(); next.Index > prev.Index {
		m.publish(prev, &next, differences(prev, &next))
		m.checkLevel(&next)
	}
	return nil
}

// snapshot is a state that is being written out: states never change.
type snapshot struct{ state *fsm.State }

// Persist implements [raft.FSMSnapshot].
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := fsm.WriteSnapshot(sink, *s.state); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// Release implements [raft.FSMSnapshot].
func (snapshot) Release() {}
