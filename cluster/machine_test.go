package cluster

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/fsm"
)

func TestASnapshotFromBeyondTheEntryEndsAHaltAndAnOlderOneDoesNot(t *testing.T) {
	for _, tt := range []struct {
		index  uint64
		halted bool
		want   uint64
	}{{4, true, 9}, {9, true, 9}, {10, false, 10}, {12, false, 12}} {
		m := newMachine(hclog.NewNullLogger())
		at := fsm.State{Index: 9}
		m.state.Store(&at)
		m.halt(10, errors.New("test"))
		var b bytes.Buffer
		if err := fsm.WriteSnapshot(&b, fsm.State{Index: tt.index}); err != nil {
			t.Fatal(err)
		}
		whole := b.Bytes()
		if err := m.Restore(io.NopCloser(bytes.NewReader(whole[:len(whole)-2]))); err == nil || m.state.Load().Index != 9 {
			t.Errorf("half a snapshot: error %v, index %d", err, m.state.Load().Index)
		}
		if err := m.Restore(io.NopCloser(bytes.NewReader(whole))); err != nil {
			t.Fatal(err)
		}
		if got := m.state.Load().Index; got != tt.want || (m.halted.Load() != nil) != tt.halted {
			t.Errorf("after a snapshot of %d: index %d, want %d; halted %v", tt.index, got, tt.want, m.halted.Load())
		}
	}
}

// isOver reports whether a channel is closed.
func isOver(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// agreedAt is an entry of a log with a command.
func agreedAt(t *testing.T, index uint64, c fsm.Command) *raft.Log {
	t.Helper()
	entry, err := fsm.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return &raft.Log{Index: index, Type: raft.LogCommand, Data: entry}
}

// Who waits for an index is woken by the entry with it and not before, or when none can be applied any more.
func TestWhoWaitsForAnIndexIsWokenByIt(t *testing.T) {
	m := newMachine(hclog.NewNullLogger())
	second, leaveSecond := m.reached(2)
	third, _ := m.reached(3)
	fourth, leaveFourth := m.reached(4)
	leaveFourth()
	m.Apply(agreedAt(t, 1, drain("nobody", true)))
	if isOver(second) || isOver(third) {
		t.Error("who waits is woken by another entry")
	}
	m.Apply(agreedAt(t, 2, drain("nobody", true)))
	if !isOver(second) || isOver(third) {
		t.Error("not just who waits for the second entry is woken by it")
	}
	leaveSecond() // may be called by who was woken, too
	if there, leave := m.reached(1); !isOver(there) {
		t.Error("what is there is waited for")
	} else {
		leave()
	}
	if len(m.waiting) != 1 {
		t.Errorf("%d wait, and only one has neither been woken nor left", len(m.waiting))
	}
	m.halt(3, errors.New("test"))
	if later, _ := m.reached(9); !isOver(third) || !isOver(later) || isOver(fourth) || len(m.waiting) != 0 {
		t.Errorf("halted: %v, later %v, who has left %v, %d wait", isOver(third), isOver(later), isOver(fourth), len(m.waiting))
	}
}

// Each entry of a batch has its own result, also after one of Raft's own.
func TestEachEntryOfABatchHasItsResult(t *testing.T) {
	m := newMachine(hclog.NewNullLogger())
	agreed := 0
	m.onAgreed = func() { agreed++ }
	results := m.ApplyBatch([]*raft.Log{
		agreedAt(t, 1, drain("nobody", true)),
		{Index: 2, Type: raft.LogConfiguration, Data: []byte("Raft's")},
		agreedAt(t, 3, fsm.PutConfig{Base: 7}),
		{Index: 4, Type: raft.LogCommand, Data: []byte("nonsense")},
		agreedAt(t, 5, drain("nobody", true)),
	})
	if len(results) != 5 || agreed != 1 {
		t.Fatalf("%d results, told %d times", len(results), agreed)
	}
	for i, want := range []error{fsm.ErrNotFound, nil, fsm.ErrStale, nil, nil} {
		got, _ := results[i].(error)
		var h *HaltError
		switch {
		case i >= 3:
			if !errors.As(got, &h) || h.Index != 4 {
				t.Errorf("entry %d: %v", i+1, got)
			}
		case !errors.Is(got, want):
			t.Errorf("entry %d: %v, want %v", i+1, got, want)
		}
	}
	if at := m.state.Load().Index; at != 3 {
		t.Errorf("the state is at %d", at)
	}
}
