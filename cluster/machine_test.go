package cluster

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/hashicorp/go-hclog"

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
