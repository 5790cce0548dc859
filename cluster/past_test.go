package cluster

import (
	"errors"
	"sync"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// feed is what a node's OnChange was told.
type feed struct {
	mu      sync.Mutex
	node    *Node // nil: not known yet
	indexes []uint64
	early   int // entries that were told before it was known what is past
}

func (f *feed) change(_, next *fsm.State, _ []fsm.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.indexes = append(f.indexes, next.Index)
	if f.node != nil {
		if _, known := f.node.Past(); !known {
			f.early++
		}
	}
}

// is how many entries were past when they were told, and how many were news.
func (f *feed) is(n *Node) (past, news int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	until, _ := n.Past()
	for _, i := range f.indexes {
		if i <= until {
			past++
		} else {
			news++
		}
	}
	return past, news
}

// Whatever was agreed before a node came is past when it comes to apply it, whether it joins or was away. What is agreed after
// that is news.
func TestWhatWasAgreedBeforeANodeCameIsPast(t *testing.T) {
	t.Parallel()
	ns := three(t)
	change(t, ns[0], 40)
	eventually(t, "all have the same", same(ns...))
	for _, n := range ns {
		if until, known := n.Past(); !known || until+40 > n.State().Index {
			t.Errorf("%s: past until %d (known %v), and it has applied %d", n.cfg.Name, until, known, n.State().Index)
		}
	}
	var joined, away feed
	d := join(t, ns[0], "d", func(c *Config) { c.OnChange = joined.change })
	all := append(ns, d)
	eventually(t, "the joiner has all", same(all...))
	past, before := joined.is(d.Node)
	if past < 40 || before > 5 {
		t.Errorf("a joiner: %d entries are past, %d are news", past, before)
	}
	change(t, ns[0], 3)
	eventually(t, "three entries more are news", func() error {
		if _, news := joined.is(d.Node); news < before+3 {
			return errors.New("not yet")
		}
		return nil
	})

	d.kill()
	change(t, ns[0], 40)
	cfg := d.cfg
	cfg.OnChange = away.change
	d = startWith(t, cfg, func(n *Node) { away.node = n })
	all[3] = d
	eventually(t, "who was away has all", same(all...))
	if past, news := away.is(d.Node); past < 40 || news > 0 || away.early > 0 {
		t.Errorf("one that was away: %d entries are past, %d are news, %d were told before that was known", past, news, away.early)
	}
	change(t, ns[0], 1)
	eventually(t, "one entry more is news", func() error {
		if _, news := away.is(d.Node); news != 1 {
			return errors.New("not yet")
		}
		return nil
	})
}

// What a member has in its log and nobody has agreed is past until it hears what is: others get those places in the log.
func TestATailThatWasNotAgreedIsPastUntilALeaderIsHeard(t *testing.T) {
	for _, tt := range []struct {
		recorded, admitted, agreed, want uint64
	}{{1, 0, 2, 2}, {2, 0, 1, 2}, {1, 2, 1, 2}, {1, 1, 7, 7}} {
		n := alone(t) // three entries
		n.recorded, n.id.Admitted = tt.recorded, tt.admitted
		if err := n.openPast(); err != nil {
			t.Fatal(err)
		}
		n.past.met(0)
		if until, known := n.Past(); until != 3 || known {
			t.Errorf("%+v: until %d before it hears a leader, known %v", tt, until, known)
		}
		n.past.met(tt.agreed)
		n.past.met(9)
		if until, known := n.Past(); until != tt.want || !known {
			t.Errorf("%+v: until %d, known %v", tt, until, known)
		}
	}
}
