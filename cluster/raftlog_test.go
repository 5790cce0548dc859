package cluster

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// with returns the lines that have a text.
func (l *lines) with(text string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, text) {
			out = append(out, line)
		}
	}
	return out
}

// levels has a node log into l from a level on.
func levels(l *lines, from hclog.Level) func(*Config) {
	return func(c *Config) { c.Log = hclog.New(&hclog.LoggerOptions{Output: l, Level: from}) }
}

func TestAJoinThatSucceedsLogsNoErrorAndADeathDoes(t *testing.T) {
	t.Parallel()
	var log lines
	ns := []*testnode{first(t, "a", levels(&log, hclog.Info))}
	term := ns[0].raft.Load().CurrentTerm()
	ns = append(ns, join(t, ns[0], "b", levels(&log, hclog.Info)))
	join(t, ns[1], "c", levels(&log, hclog.Info))
	said := append(log.with("[ERROR]"), log.with("appendEntries")...)
	if ns[0].raft.Load().CurrentTerm() != term { // on a slow machine: what goes wrong with one that votes is said
		said = slices.DeleteFunc(said, func(line string) bool { return !strings.Contains(line, raft.Nonvoter.String()) })
	}
	if len(said) > 0 {
		t.Errorf("two joins: %q", said)
	}
	ns[1].kill()
	eventually(t, "its death is told", func() error {
		if len(log.with("[ERROR] raft: failed to")) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
}

func TestOnlyWhatIsAboutAMemberThatJoinsIsHeldBack(t *testing.T) {
	server := func(is raft.ServerSuffrage, id raft.ServerID) raft.Server { return raft.Server{Suffrage: is, ID: id} }
	began := &arrivals{began: map[raft.ServerID]time.Time{"late": time.Now().Add(-arrivalLimit), "soon": time.Now().Add(-arrivalLimit / 2)}}
	for _, tt := range []struct {
		name string
		args []any
		said bool
	}{
		{"one that joins", []any{"peer", server(raft.Nonvoter, "joins"), "error", "refused"}, false},
		{"its heartbeats", []any{"peer", raft.ServerAddress("joins@192.0.2.1:7400"), "backoff time", 1, "error", "refused"}, false},
		{"one that joins and does not come for long", []any{"peer", server(raft.Nonvoter, "late"), "error", "refused"}, true},
		{"its heartbeats", []any{"peer", raft.ServerAddress("late@192.0.2.1:7400"), "backoff time", 1, "error", "refused"}, true},
		{"one that joins for a while", []any{"peer", server(raft.Nonvoter, "soon"), "error", "refused"}, false},
		{"one that joins and is gone again", []any{"peer", server(raft.Nonvoter, "took")}, true},
		{"its heartbeats", []any{"peer", raft.ServerAddress("took@192.0.2.1:7400")}, true},
		{"one that votes", []any{"peer", server(raft.Voter, "votes"), "error", "refused"}, true},
		{"its heartbeats", []any{"peer", raft.ServerAddress("votes@192.0.2.1:7400")}, true},
		{"an address that is none", []any{"peer", raft.ServerAddress("joins")}, true},
		{"nobody", []any{"error", "refused"}, true},
		{"half a message", []any{"peer"}, true},
		{"nothing", nil, true},
	} {
		for level, from := range map[string]hclog.Level{"[ERROR]": hclog.Info, "[WARN]": hclog.Info, "[DEBUG]": hclog.Debug} {
			var log lines
			c := Config{}
			levels(&log, from)(&c)
			l := raftLog{c.Log, func(id raft.ServerID) bool { return id == "votes" }, func(id raft.ServerID) bool { return id == "took" }, began}
			if level == "[WARN]" {
				l.Warn("failed", tt.args...)
			} else {
				l.Error("failed", tt.args...)
			}
			want := tt.said != (level == "[DEBUG]")
			if got := len(log.with(level)) == 1; got != want {
				t.Errorf("%s, %s: said %v, want %v", tt.name, level, got, want)
			}
		}
	}
}
