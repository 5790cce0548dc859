package lab

import (
	"strings"
	"testing"
	"time"
)

// curl fetches a URL and returns what it said, or its exit code.
func curl(h *Host, args ...string) string {
	script := "curl -sS -m 2 " + strings.Join(args, " ") + " 2>&1 || echo curl exits $?"
	return strings.TrimSpace(h.MustRun("sh", "-c", script))
}

func TestEachServiceFailsInEachWayUntilUndone(t *testing.T) {
	n := New(t)
	s := n.Segment("s")
	rs := n.RealServer("rs1", s.At("192.0.2.11/24"), "")
	client := n.Host("client", s.At("192.0.2.100/24"))
	https := func() string {
		return curl(client, "--cacert", n.CAFile(), "https://192.0.2.11/")
	}
	http := func() string { return curl(client, "-w", "%{http_code}", "http://192.0.2.11/health") }
	smtp := func() string {
		return client.MustRun("sh", "-c",
			`(sleep 0.2; echo "EHLO me"; sleep 0.2; echo QUIT; sleep 0.2) | busybox nc -w 2 192.0.2.11 25 2>&1 | tr -d '\r' || true`)
	}
	echo := func() string {
		return client.MustRun("sh", "-c", `(echo hello; sleep 0.2) | busybox nc -w 2 192.0.2.11 7 2>&1 || true`)
	}
	udp := func() string {
		return client.Probe(Probe{To: "192.0.2.11", Port: 7, Interval: 20 * time.Millisecond}).closeAfter()
	}
	for _, tt := range []struct {
		name        string
		fetch       func() string
		good        string
		service     Service
		mode        Mode
		bad         string
		alsoBlackly bool
	}{
		{"http stopped", http, "rs1\n200", HTTP, Mode{Stopped: true}, "exits 7", true},
		{"http status", http, "rs1\n200", HTTP, Mode{Status: 503}, "rs1\n503", false},
		{"http body", http, "rs1\n200", HTTP, Mode{Body: "nothing here"}, "nothing here200", false},
		{"http late", http, "rs1\n200", HTTP, Mode{Delay: 3 * time.Second}, "exits 28", false},
		{"http slow drip", http, "rs1\n200", HTTP, Mode{Drip: 2 * time.Second}, "exits 28", false},
		{"https expired", https, "rs1", HTTPS, Mode{Certificate: ExpiredCertificate}, "exits 60", false},
		{"https other name", https, "rs1", HTTPS, Mode{Certificate: OtherNameCertificate}, "exits 60", false},
		{"https self-signed", https, "rs1", HTTPS, Mode{Certificate: SelfSigned}, "exits 60", false},
		{"smtp refuses", smtp, "220-rs1 ESMTP\n220 ready\n250-rs1\n250-SIZE 1000000\n250 8BITMIME\n221 bye", SMTP, Mode{Refuse: true}, "554 rs1", false},
		{"tcp refuses", echo, "hello", TCP, Mode{Refuse: true}, "", false},
		{"udp stopped", udp, "answered", UDP, Mode{Stopped: true}, "silence", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.TrimSpace(tt.fetch()); got != tt.good {
				t.Errorf("well: %q", got)
			}
			undo := rs.Set(tt.service, tt.mode)
			if got := tt.fetch(); !strings.Contains(got, tt.bad) || strings.TrimSpace(got) == tt.good {
				t.Errorf("ill: %q, want %q", got, tt.bad)
			}
			undo()
			if !tt.alsoBlackly {
				return
			}
			undo = rs.Blackhole(tt.service)
			if got := tt.fetch(); !strings.Contains(got, "exits 28") && !strings.Contains(got, "silence") {
				t.Errorf("blackholed: %q", got)
			}
			undo()
			if got := strings.TrimSpace(tt.fetch()); got != tt.good {
				t.Errorf("well again: %q", got)
			}
		})
	}
}

// closeAfter probes for a moment and says in a word whether somebody answered.
func (p *Prober) closeAfter() string {
	time.Sleep(100 * time.Millisecond)
	if p.Close().Answered > 0 {
		return "answered"
	}
	return "silence"
}

func TestConnectionsNoticeResetsAndStalls(t *testing.T) {
	n := New(t)
	s := n.Segment("s")
	rs := n.RealServer("rs1", s.At("192.0.2.11/24"), "")
	client := n.Host("client", s.At("192.0.2.100/24"))
	c := client.Connections(Connections{To: "192.0.2.11:7", Count: 5})
	time.Sleep(300 * time.Millisecond)
	undo := rs.Blackhole(TCP)
	time.Sleep(500 * time.Millisecond)
	undo()
	time.Sleep(time.Second)
	r := c.Close()
	t.Log(r)
	if len(r) != 5 || len(r.Broken()) > 0 || r.Longest() < 400*time.Millisecond {
		t.Errorf("connections that stalled: %v", r)
	}
	c = client.Connections(Connections{To: "192.0.2.11:7", Count: 5})
	time.Sleep(200 * time.Millisecond)
	rs.Stop(TCP)()
	time.Sleep(200 * time.Millisecond)
	r = c.Close()
	t.Log(r)
	if len(r.Broken()) != 5 {
		t.Errorf("connections that were ended: %v", r)
	}
	q := client.Requests(Requests{To: "192.0.2.11:80", Rate: 20})
	time.Sleep(200 * time.Millisecond)
	undo = rs.Stop(HTTP)
	time.Sleep(400 * time.Millisecond)
	undo()
	time.Sleep(200 * time.Millisecond)
	report := q.Close()
	t.Log(report)
	if len(report.Failures) < 3 || report.OK < 3 || report.Longest < 300*time.Millisecond {
		t.Errorf("requests to a server that was away: %v", report)
	}
}

func TestCapturesHoldWhatPassed(t *testing.T) {
	n, outer, _, a, _ := pair(t)
	c := n.Capture(outer, "icmp")
	a.MustRun("ping", "-c2", "-i0.2", "-W1", "192.0.2.2")
	time.Sleep(500 * time.Millisecond) // tcpdump writes when it gets to it
	if got := c.Close(); len(got) != 4 || !strings.Contains(got[0], "192.0.2.1 > 192.0.2.2: ICMP echo request") {
		t.Errorf("captured %q", got)
	}
}
