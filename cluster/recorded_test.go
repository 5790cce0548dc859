package cluster

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/fsm"
)

// joinUntilCurrent has a node join and run, and returns with its record as it is at the moment at which it is current.
func joinUntilCurrent(t *testing.T, via *testnode, cfg Config) (n *testnode, record []byte) {
	t.Helper()
	token := ""
	eventually(t, "it joins", func() (err error) {
		if token == "" {
			token, err = via.CreateToken(t.Context(), fsm.RoleDirector, time.Hour)
		}
		if err == nil {
			err = Join(t.Context(), cfg, via.cfg.Bind.String(), token, silently)
		}
		return err
	})
	n = start(t, cfg)
	for until := time.Now().Add(time.Minute); !n.Current(); pause(t.Context(), time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it does not catch up")
		}
	}
	record, err := os.ReadFile(filepath.Join(cfg.DataDir, liveDir, logstore.RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	return n, record
}

func TestWhoIsKilledAsSoonAsItHasCaughtUpStartsWithWhatItHad(t *testing.T) {
	t.Parallel()
	for how, before := range map[string]func(*testing.T, *testnode){
		"by the log":    func(*testing.T, *testnode) {},
		"by a snapshot": func(t *testing.T, n *testnode) { compact(t, n, 1) },
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			a, cfg := first(t, "a"), config(t, "b")
			change(t, a, 9)
			before(t, a)
			b, record := joinUntilCurrent(t, a, cfg)
			b.kill() // which writes a record: a real one would not
			if err := os.WriteFile(filepath.Join(cfg.DataDir, liveDir, logstore.RecordFile), record, 0o600); err != nil {
				t.Fatal(err)
			}
			alone, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer alone.Close()
			if m := alone.State().Members["b"]; m.ID != alone.id.ID || alone.State().Index < alone.id.Admitted {
				t.Errorf("it starts with entry %d, and was let in by %d; its record was %q", alone.State().Index, alone.id.Admitted, record)
			}
		})
	}
}
