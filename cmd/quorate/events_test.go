package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/api"
)

// setBack is an agent that was started anew on a host whose clock was set back.
type setBack struct {
	api.Agent

	mu    sync.Mutex
	after []uint64 // what it was asked for
}

func (s *setBack) Events(_ context.Context, after uint64, _ bool) ([]api.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, after)
	switch len(s.after) {
	case 1:
		return []api.Event{{Sequence: 1000, Time: noon, Kind: "owner"}}, nil
	case 2: // they are shown by their time
		return []api.Event{{Sequence: 10, Time: noon, Kind: "vrrp"}, {Sequence: 11, Time: noon.Add(-1), Kind: "owner"}}, nil
	}
	return nil, errors.New("enough")
}

// By the highest number it would be given all again and again.
func TestWhoFollowsEventsGoesOnAfterTheLast(t *testing.T) {
	for _, args := range []string{"events -f", "events -f -o json"} {
		t.Run(args, func(t *testing.T) {
			var out, errOut bytes.Buffer
			s := &setBack{}
			code := run(append(strings.Fields(args), "--socket", serve(t, s)), strings.NewReader(""), &out, &errOut)
			s.mu.Lock()
			defer s.mu.Unlock()
			if want := []uint64{0, 1000, 11}; code != 1 || !slices.Equal(s.after, want) {
				t.Errorf("exit %d, said %q; it asked for what is after %v, want %v", code, errOut.String(), s.after, want)
			}
		})
	}
}
