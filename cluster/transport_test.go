package cluster

import (
	"testing"

	"github.com/hashicorp/raft"
)

func TestARequestIsNoLargerThanAMemberCanTakeInTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sizes []int
		sent  int
	}{
		{"a heartbeat", nil, 0},
		{"small ones", []int{10, 10, 10}, 3},
		{"just enough", []int{maxRequest / 2, maxRequest / 2}, 2},
		{"one too many", []int{maxRequest / 2, maxRequest / 2, 1, 1}, 2},
		{"one that is too large alone", []int{2 * maxRequest, 1}, 1},
	} {
		var r raft.AppendEntriesRequest
		for i, size := range tt.sizes {
			r.Entries = append(r.Entries, &raft.Log{Index: uint64(i), Data: make([]byte, size)})
		}
		if shorten(&r); len(r.Entries) != tt.sent {
			t.Errorf("%s: %d entries, want %d", tt.name, len(r.Entries), tt.sent)
		}
	}
}
