package cluster

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// elsewhere starts a member at other addresses.
func elsewhere(t *testing.T, n *testnode, with ...func(*Config)) *testnode {
	t.Helper()
	cfg := config(t, n.cfg.Name)
	cfg.DataDir = n.cfg.DataDir
	for _, f := range with {
		f(&cfg)
	}
	return start(t, cfg)
}

func found(ns []*testnode) func() error {
	return func() error {
		for _, n := range ns {
			if !n.Quorum() || n.Astray() != "" {
				return fmt.Errorf("%s is in no quorum: %q", n.cfg.Name, n.Astray())
			}
			for _, m := range ns {
				if at := n.State().Members[m.cfg.Name].Address; at != m.cfg.Bind {
					return fmt.Errorf("%s knows %s at %s", n.cfg.Name, m.cfg.Name, at)
				}
			}
		}
		return nil
	}
}

// Two of three that move at once find each other by the third.
func TestTwoOfThreeThatMoveAtOnceComeBack(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	ns[0].end()
	ns[1].end()
	ns[0], ns[1] = elsewhere(t, ns[0]), elsewhere(t, ns[1])
	eventually(t, "all are found", found(ns))
}

// Where all have moved nobody knows where another is, and each says what to do; it is enough to name one of them to the others.
func TestAllThatMoveAtOnceSayWhatToDoAndThatWorks(t *testing.T) {
	t.Parallel()
	ns := three(t)
	eventually(t, "all have the same", same(ns...))
	for _, n := range ns {
		n.end()
	}
	for i, n := range ns {
		ns[i] = elsewhere(t, n)
	}
	for _, n := range ns {
		eventually(t, n.cfg.Name+" says what to do", func() error {
			if why := n.Astray(); !strings.Contains(why, "listens at "+n.cfg.Bind.String()) || !strings.Contains(why, "`join { address =") {
				return errors.New(why)
			}
			return nil
		})
	}
	for i, n := range ns[1:] {
		n.end()
		n.cfg.Contact = ns[0].cfg.Bind
		ns[i+1] = start(t, n.cfg)
	}
	eventually(t, "all are found", found(ns))
}
