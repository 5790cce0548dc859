package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/fsm"
)

// TestWhatIsLeftOfTheOnlyOneCanBeSaved: a director that may not take part any more is refused, and if no other is left it has what
// there is. Its vote is needed by nobody who begins anew.
func TestWhatIsLeftOfTheOnlyOneCanBeSaved(t *testing.T) {
	t.Parallel()
	n := first(t, "a")
	var early, late *fsm.State
	for i := range 12 {
		if err := n.Propose(t.Context(), aToken(fmt.Sprint("t", i))); err != nil {
			t.Fatal(err)
		}
		if late = n.State(); i == 5 {
			if early = late; n.raft.Load().Snapshot().Error() != nil {
				t.Fatal("no snapshot")
			}
		}
	}
	n.end()
	path := filepath.Join(n.cfg.DataDir, liveDir, logstore.LogFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(after string, at int) func() error { // wherever that is
		flipped := bytes.Clone(whole)
		for i := 0; ; i++ {
			next := bytes.Index(flipped[i:], []byte(after))
			if next < 0 {
				break
			}
			i += next
			flipped[i+len(after)+at] ^= 1
		}
		return func() error { return os.WriteFile(path, flipped, 0o600) }
	}
	type test struct {
		name    string
		spoil   func() error
		least   *fsm.State // that is there
		missing string
	}
	look := func(tt test) {
		t.Helper()
		s, missing, err := Remains(n.cfg.DataDir, n.cfg.Log)
		switch {
		case err != nil || s.State.Index < tt.least.Index || s.State.Index > late.Index || !s.Stale || s.Director != "a":
			t.Errorf("%s: by %q, index %d of %d to %d: %v", tt.name, s.Director, s.State.Index, tt.least.Index, late.Index, err)
		case tt.missing == "" && (missing != nil || s.State.Hash() != late.Hash()):
			t.Errorf("%s: index %d, missing: %v", tt.name, s.State.Index, missing)
		case tt.missing != "" && (missing == nil || !strings.Contains(missing.Error(), tt.missing) || strings.Contains(missing.Error(), "quorate join")):
			t.Errorf("%s: missing: %v", tt.name, missing)
		}
	}
	for _, tt := range []test{
		{"the vote flipped", flip("LastVoteCand", 0), late, ""},
		{"the term flipped", flip("CurrentTerm", 7), late, ""},
		{"an entry flipped", flip(`"t9"`, 2), early, "replay log entry "},
		{"the log's structure gone", func() error { return os.WriteFile(path, whole[:len(whole)/3], 0o600) }, early, "read log "},
		{"the log emptied", func() error { return os.Truncate(path, 0) }, early, "it is empty"},
		{"the log removed", func() error { return os.Remove(path) }, early, "no such file"},
	} {
		if err := tt.spoil(); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path) // or nothing
		look(tt)
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: it has changed the log", tt.name)
		}
		again, err := Open(survivor{t: t, cfg: n.cfg}.elsewhere().cfg)
		if err == nil {
			t.Fatalf("%s: it starts; closed: %v", tt.name, again.Close())
		}
		if !strings.Contains(err.Error(), "`quorate snapshot save FILE --from ") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.missing != "" {
			tt.missing = fmt.Sprintf("%d was applied", late.Index)
		}
		look(tt)
	}
	if err := os.RemoveAll(filepath.Join(n.cfg.DataDir, liveDir, "snapshots")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Remains(n.cfg.DataDir, n.cfg.Log); err == nil || !strings.Contains(err.Error(), "can be read") {
		t.Errorf("of nothing: %v", err)
	}
}

// TestWhatIsInUseIsNotReadBesideItsAgent, nor is there anything where no agent ever was.
func TestWhatIsInUseIsNotReadBesideItsAgent(t *testing.T) {
	t.Parallel()
	n := first(t, "a")
	_, _, used := Remains(n.cfg.DataDir, n.cfg.Log)
	_, _, never := Remains(filepath.Join(t.TempDir(), "none"), n.cfg.Log)
	for err, want := range map[error]string{used: "is in use", never: "in no cluster"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", errors.Join(used, never))
		}
	}
}
