package agent

import (
	"testing"
	"time"

	"github.com/quorate/quorate/director/placement"
)

func TestALeaderThatHearsNoMajorityIsDeaf(t *testing.T) {
	const silent = placement.Grace + time.Millisecond
	for _, tt := range []struct {
		name    string
		voters  []string
		unheard map[string]time.Duration
		want    bool
	}{
		{"all are heard", []string{"d1", "d2", "d3"}, nil, false},
		{"one of three is not", []string{"d1", "d2", "d3"}, map[string]time.Duration{"d2": silent}, false},
		{"for the grace only", []string{"d1", "d2", "d3"}, map[string]time.Duration{"d2": placement.Grace, "d3": placement.Grace}, false},
		{"no other", []string{"d1", "d2", "d3"}, map[string]time.Duration{"d2": silent, "d3": silent}, true},
		{"half of four", []string{"d1", "d2", "d3", "d4"}, map[string]time.Duration{"d2": silent, "d3": silent}, true},
		{"the other of two, who could not lead alone", []string{"d1", "d2"}, map[string]time.Duration{"d2": silent}, false},
		{"it is alone", []string{"d1"}, nil, false},
	} {
		if got := deafLeader("d1", tt.voters, func(name string) time.Duration { return tt.unheard[name] }); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
