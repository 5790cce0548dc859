package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/fsm"
)

const older = fsm.Newest - 1

// A binary that does not support the level to which the cluster goes while it runs applies nothing after that, leads no more, and
// does not start again. Its log says that it does: it was replaced by an older one a moment ago.
func TestABinaryThatIsTooOldForTheNewLevelHaltsAndLeadsNoMore(t *testing.T) {
	t.Parallel()
	ns := three(t, func(c *Config) { c.MaxLevel = older })
	for _, n := range ns {
		m := n.cfg.member(n.id.ID)
		m.MaxLevel = fsm.Newest
		if err := ns[0].Propose(t.Context(), fsm.SetMember{Member: m}); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range ns[:2] {
		n.end()
		n.cfg.MaxLevel = fsm.Newest
		ns[i] = start(t, n.cfg)
	}
	old := ns[2]
	makeLead(t, old, ns)
	if err := ns[0].Propose(t.Context(), fsm.RaiseLevel{Level: fsm.Newest, Author: "test"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old one halts", func() error { return tooOld(old) })
	eventually(t, "another leads, and changes are agreed", func() error {
		if old.IsLeader() {
			return errors.New("it leads")
		}
		return ns[0].Propose(t.Context(), drain("a", true))
	})
	eventually(t, "the others have it", func() error {
		if !ns[0].State().Members["a"].Draining {
			return errors.New("not drained")
		}
		return same(ns[:2]...)()
	})
	if old.State().Members["a"].Draining {
		t.Error("the old one has applied what came after the level")
	}
	old.end()
	if n, err := Open(old.cfg); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("supports 1 to %d: install a version that fits", older)) {
		t.Errorf("it starts again: %v", err)
		if n != nil {
			n.Close()
		}
	}
	old.cfg.MaxLevel = fsm.Newest
	again := start(t, old.cfg)
	eventually(t, "with a newer binary it goes on", same(ns[0], again))
}

func tooOld(n *testnode) error {
	var h *HaltError
	if !errors.As(n.Halted(), &h) || !h.TooOld() || !strings.Contains(h.Error(), "install a version that fits") || !strings.Contains(h.Error(), "systemctl restart") {
		return fmt.Errorf("halted: %v", n.Halted())
	}
	return nil
}

// A leader's snapshot may be of a newer level, whether this binary can read it or not.
func TestASnapshotOfALevelThatIsNotSupportedHalts(t *testing.T) {
	t.Parallel()
	text := func(level int, more string) string {
		body := fmt.Sprintf(`{"cluster_id":"x","index":9,"level":%d%s}`, level, more)
		sum := sha256.Sum256([]byte(body))
		return fmt.Sprintf("quorate-snapshot/1\n%s\n%s\n", hex.EncodeToString(sum[:]), body)
	}
	for _, tt := range []struct {
		name, text     string
		halts, applied bool
	}{
		{"of this level", text(older, ""), false, true},
		{"of a newer level", text(fsm.Newest, ""), true, true},
		{"of a newer level with what is not known", text(fsm.Newest+1, `,"from_the_future":1`), true, false},
		{"damaged", text(older, `,"from_the_future":1`), false, false},
	} {
		m := newMachine(hclog.NewNullLogger())
		m.supports = Config{MinLevel: 1, MaxLevel: older}.supports
		err := m.Restore(io.NopCloser(bytes.NewReader([]byte(tt.text))))
		h := m.halted.Load()
		if (h != nil && h.TooOld()) != tt.halts || (err == nil) != tt.applied || (m.state.Load().Index == 9) != tt.applied {
			t.Errorf("%s: halted %v, at %d, %v", tt.name, h, m.state.Load().Index, err)
		}
		if errors.Is(err, errUnsupported) != (tt.halts && !tt.applied) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A state that is fetched to heal this one is of the level that the others went to meanwhile.
func TestAHealedStateOfALevelThatIsNotSupportedHalts(t *testing.T) {
	for _, level := range []int{older, fsm.Newest} {
		m, by := newMachine(hclog.NewNullLogger()), newMachine(hclog.NewNullLogger())
		m.supports = Config{MinLevel: 1, MaxLevel: older}.supports
		by.state.Store(&fsm.State{ClusterID: "x", Index: 9, Level: level})
		if err := m.replace(by, nil, "test"); err != nil {
			t.Fatal(err)
		}
		if h := m.halted.Load(); (h != nil && h.TooOld() && h.Index == 10) != (level > older) || m.state.Load().Index != 9 {
			t.Errorf("level %d: halted %v, at %d", level, h, m.state.Load().Index)
		}
	}
}
