package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cluster/pki"
)

func TestWhoseClockIsOffIsToldByTheOthers(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	for _, tt := range []struct {
		name    string
		members int
		ahead   map[string]time.Duration
		want    []string
	}{
		{"nobody is heard", 3, nil, nil},
		{"within the tolerance", 3, map[string]time.Duration{"b": pki.ClockTolerance, "c": -pki.ClockTolerance}, nil},
		{"of two", 2, map[string]time.Duration{"b": hour}, []string{"b: the clocks of a and b differ by 1h0m0s, that of b is ahead"}},
		{"two of seven", 7, map[string]time.Duration{"b": -hour, "c": -hour}, []string{"b: the clocks of a and b differ by 1h0m0s, that of a is ahead", "c: the clocks of a and c differ by 1h0m0s, that of a is ahead"}},
		{"one that is heard, of three", 3, map[string]time.Duration{"b": hour}, []string{"b: the clocks of a and b differ by 1h0m0s, that of b is ahead"}},
		{"one of three", 3, map[string]time.Duration{"b": -hour, "c": time.Second}, []string{"b: the clock of b is 1h0m0s behind that of a"}},
		{"the own one", 4, map[string]time.Duration{"b": -hour, "c": -hour - time.Second, "d": -hour}, []string{"a: the clock of a is 1h0m0s ahead of that of b, c, d"}},
		{"the own one and another", 4, map[string]time.Duration{"b": hour, "c": hour, "d": 0}, []string{"a: the clock of a is 1h0m0s behind that of b, c"}},
		{"all differ", 3, map[string]time.Duration{"b": hour, "c": -hour}, []string{"b: the clock of b is 1h0m0s ahead of that of a", "c: the clock of c is 1h0m0s behind that of a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, off := range (Clocks{Self: "a", Members: tt.members, Ahead: tt.ahead}).Off() {
				text, _, _ := strings.Cut(off.Text, ":")
				got = append(got, off.Name+": "+text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got): %s", diff)
			}
		})
	}
}

func TestAClockIsReadInTheMiddleOfItsAnswersWay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 4, 0, time.UTC)
	var c clocks
	c.read("b", now.Add(-2*time.Second-500*time.Millisecond), now.Add(-4*time.Second), now)
	c.read("c", now.Add(time.Hour), now.Add(-clockTrip-time.Second), now)
	got := c.lately(now)
	if len(got) != 1 || got["b"].ahead != 0 {
		t.Errorf("%+v", got)
	}
	c.fail("b", "why", now.Add(30*time.Second))
	if r := c.lately(now.Add(clockLife + time.Second))["b"]; r.ahead != 0 || r.unproved != "why" {
		t.Errorf("a while later: %+v", r)
	}
	c.read("b", now, now, now.Add(time.Second))
	c.fail("b", "", now.Add(time.Second))
	if r := c.lately(now.Add(time.Second))["b"]; r.at.IsZero() || r.unproved != "" {
		t.Errorf("after a call that failed for something else: %+v", r)
	}
	c.fail("b", "why", now.Add(time.Second))
	if r := c.lately(now.Add(time.Second))["b"]; !r.at.IsZero() || r.unproved != "why" {
		t.Errorf("after one that failed for a certificate: %+v", r)
	}
	if got := c.lately(now.Add(time.Hour)); len(got) > 0 {
		t.Errorf("an hour later: %+v", got)
	}
}

func TestAMembersClockIsReadOffItsAnswers(t *testing.T) {
	t.Parallel()
	a := first(t, "a")
	ahead := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		writeJSON(w, struct{}{})
	}
	b := join(t, a, "b", func(c *Config) { c.Handler = http.HandlerFunc(ahead) })
	asks := func(path string) {
		eventually(t, "b is asked", func() error { return a.call(t.Context(), "b", http.MethodGet, path, nil, nil) })
	}
	asks("/cluster/progress")
	if off := a.Clocks().Off(); len(off) > 0 || a.Clocks().Ahead["b"].Abs() > 2*time.Second {
		t.Errorf("a clock that is right: %v, %v ahead", off, a.Clocks().Ahead)
	}
	eventually(t, "b's clock is off", func() error {
		asks("/peer/anything")
		off := a.Clocks().Off()
		if len(off) != 1 || off[0].Name != "b" || (a.Clocks().Ahead["b"]-time.Hour).Abs() > 2*time.Second {
			return fmt.Errorf("%v, %v ahead", off, a.Clocks().Ahead)
		}
		return nil
	})
	said := voterSurvey{voters: 3, clocks: []string{a.Clocks().Off()[0].Text}}.noLeader().Error()
	if strings.Contains(said, "must reach each other") || !strings.Contains(said, "3 of 3 voters answer, which is enough, and none leads; the clocks of a and b differ by") {
		t.Errorf("without a leader: %s", said)
	}

	now := time.Now()
	text, _ := pairOf(t, b, a, b.id, now.Add(-time.Hour), now.Add(-time.Minute))
	b.kill()
	if err := os.WriteFile(filepath.Join(b.cfg.DataDir, liveDir, pki.CertFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	b = startWith(t, b.cfg, func(n *Node) { n.unkept = true })
	proved := func(n *testnode, of, why string) func() error {
		return func() error {
			_, _ = n.progressOf(t.Context(), of)
			if said := n.Clocks().Unproved[of]; !strings.Contains(said, why) || !strings.Contains(said, "is a clock wrong?") {
				return fmt.Errorf("%s says of %s %q", n.cfg.Name, of, said)
			}
			return nil
		}
	}
	eventually(t, "a says why", proved(a, "b", "x509: certificate has expired or is not yet valid"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.call(gone, "b", http.MethodGet, "/cluster/progress", nil, nil); err == nil || a.Clocks().Unproved["b"] == "" {
		t.Errorf("a call that was given up (%v) says that the certificate is good", err)
	}
	eventually(t, "b says why", proved(b, "a", "it does not take this director's certificate (tls: expired certificate)"))
}
