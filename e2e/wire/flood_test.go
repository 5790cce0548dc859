//go:build proofs

package wire

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

const (
	clusterPort = 7400
	gossipPort  = 7401
	flood       = 10000 // connections
	// more is the memory that a flood may cost an agent.
	more = 128 << 20
)

// A stranger is who is no member, on a host of its own, and what it has to show.
type stranger struct {
	*lab.Host
	target string // address of a director, without a port
	certs  map[string]*tls.Certificate
}

// do runs f in the stranger's network.
func (s *stranger) do(t *testing.T, f func()) {
	t.Helper()
	if err := s.Do(f); err != nil {
		t.Fatal(err)
	}
}

func (s *stranger) dial(port int) (net.Conn, error) {
	return net.DialTimeout("tcp", net.JoinHostPort(s.target, strconv.Itoa(port)), 3*time.Second)
}

// many opens connections to a port, a few at once, has each say something, and closes them when it is undone.
func (s *stranger) many(t *testing.T, port, n int, say func(net.Conn)) (undo func()) {
	t.Helper()
	var mu sync.Mutex
	var open []net.Conn
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range n / 16 {
				_ = s.Do(func() {
					c, err := s.dial(port)
					if err != nil {
						return
					}
					_ = c.SetDeadline(time.Now().Add(time.Minute))
					say(c)
					mu.Lock()
					defer mu.Unlock()
					open = append(open, c)
				})
			}
		})
	}
	wg.Wait()
	return func() {
		for _, c := range open {
			c.Close()
		}
	}
}

// say sends bytes, as many as are taken.
func say(b []byte) func(net.Conn) {
	return func(c net.Conn) { _, _ = c.Write(b) }
}

// request sends the head of a request over TLS with a certificate, or none, and the body.
func (s *stranger) request(alpn, who, head string, body []byte) func(net.Conn) {
	return func(raw net.Conn) {
		cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{alpn}}
		if cert := s.certs[who]; cert != nil {
			cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
		}
		c := tls.Client(raw, cfg)
		_ = raw.SetDeadline(time.Now().Add(2 * time.Second))
		_, _ = c.Write([]byte(head)) // who is refused is told by its end
		_, _ = c.Write(body)
		_, _ = c.Read(make([]byte, 512))
	}
}

// slowly says something a byte a second, and does not wait for that.
func slowly(text string) func(net.Conn) {
	return func(c net.Conn) {
		go func() {
			for i := range len(text) {
				if _, err := c.Write([]byte(text[i : i+1])); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
	}
}

// packets sends UDP packets to the gossip port.
func (s *stranger) packets(t *testing.T, n int, packet func(int) []byte) {
	t.Helper()
	s.do(t, func() {
		c, err := net.Dial("udp", net.JoinHostPort(s.target, strconv.Itoa(gossipPort)))
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for i := range n {
			_, _ = c.Write(packet(i))
		}
	})
}

// TestStrangersAreNotNoticed has everything that a stranger, somebody of another cluster and a viewer can say said to
// the director that leads and owns, on each of its ports: malformed, huge, slowly, and on ten thousand connections.
func TestStrangersAreNotNoticed(t *testing.T) {
	t.Parallel()
	w := ownedAs(t, "st", 3)
	target := w.ownedByTheLeader(t)
	s := &stranger{w.Host("stranger", w.Inner.At("192.168.2.66/24")), target.Bind, map[string]*tls.Certificate{}}
	s.certs["viewer"] = certificate(t, target, "viewer")
	s.certs["foreign"] = foreign(t)
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rand.IntN(256))
	}
	junk := func(i int) []byte { return noise[i%1000 : i%1000+1+i%1400] }
	for _, tt := range []struct {
		name string
		do   func(*testing.T) (undo func())
	}{
		{"cluster port: connections that say nothing", func(t *testing.T) func() { return s.many(t, clusterPort, flood, say(nil)) }},
		{"cluster port: noise", func(t *testing.T) func() { return s.many(t, clusterPort, 2000, say(noise[:4096])) }},
		{"cluster port: a handshake, a byte a second", func(t *testing.T) func() { return s.many(t, clusterPort, flood, slowly("\x16\x03\x01\x02\x00\x01")) }},
		{"cluster port: every message without a certificate", s.messages("")},
		{"cluster port: every message with a foreign certificate", s.messages("foreign")},
		{"cluster port: every message with a viewer's certificate", s.messages("viewer")},
		{"cluster port: requests without an end", func(t *testing.T) func() {
			return s.many(t, clusterPort, 64, s.request("http/1.1", "viewer", "POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n", slices.Repeat(noise, 60)))
		}},
		{"gossip port: connections that say nothing", func(t *testing.T) func() { return s.many(t, gossipPort, flood, say(nil)) }},
		{"gossip port: noise over TCP", func(t *testing.T) func() { return s.many(t, gossipPort, 500, say(noise)) }},
		{"gossip port: noise over UDP", func(t *testing.T) func() { s.packets(t, 100000, junk); return func() {} }},
	} {
		if !t.Run(tt.name, func(t *testing.T) { w.unnoticed(t, target, func() func() { return tt.do(t) }) }) {
			return
		}
	}
	t.Run("socket: connections that say nothing", func(t *testing.T) {
		w.unnoticed(t, target, func() func() { return ofNobody(t, target) })
	})
	t.Run("all of it is counted", func(t *testing.T) { counted(t, target) })
}

// messages sends every kind of message there is on the cluster port, whole and garbled.
func (s *stranger) messages(who string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		var undo []func()
		for _, path := range []string{
			"POST /cluster/propose", "POST /cluster/lane", "GET /cluster/progress", "GET /cluster/point", "POST /cluster/remove", "POST /cluster/renew", "POST /cluster/join", "POST /cluster/epoch",
			"POST /peer/x", "POST /v1/apply", "POST /v1/tokens", "POST /v1/init", "POST /v1/leave", "POST /v1/recover", "POST /v1/snapshot/restore", "GET /", "PRI *",
		} {
			for _, body := range []string{"{}", "[", strings.Repeat(`{"a":`, 10000), `"` + strings.Repeat("x", 100000)} {
				head := fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", path, len(body))
				undo = append(undo, s.many(t, clusterPort, 16, s.request("http/1.1", who, head, []byte(body))))
			}
		}
		for kind := range 5 { // Raft's own, by the byte that each begins with, and one that is none
			undo = append(undo, s.many(t, clusterPort, 16, s.request("quorate-raft/1", who, string(rune(kind)), []byte(strings.Repeat("\xdf", 100000)))))
		}
		undo = append(undo, s.many(t, clusterPort, 16, s.request("h2", who, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", nil)))
		return func() {
			for _, u := range undo {
				u()
			}
		}
	}
}

// ofNobody opens connections to an agent's socket, which only its host's own can.
func ofNobody(t *testing.T, target *lab.Director) (undo func()) {
	t.Helper()
	var open []net.Conn
	for range flood {
		c, err := net.DialTimeout("unix", target.Socket(), 3*time.Second)
		if err != nil {
			t.Logf("after %d: %v", len(open), err)
			break
		}
		open = append(open, c)
	}
	return func() {
		for _, c := range open {
			c.Close()
		}
	}
}

// unnoticed holds that nobody notices what f does to a director, and what stays of it for some seconds: neither the
// cluster nor who uses the address, nor the director's memory.
func (w *testnet) unnoticed(t *testing.T, target *lab.Director, f func() (undo func())) {
	t.Helper()
	term, before := elections(t, w.Directors), epoch(t, target)
	size := residentSize(t, target)
	largest := size
	r := w.watch(t, func() {
		s := w.see(t, func() {
			undo := f()
			defer undo()
			for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				largest = max(largest, residentSize(t, target))
			}
			if err := written(t, w.others(target)[0]); err != nil {
				t.Errorf("nothing can be agreed: %v", err)
			}
		})
		if !slices.Equal(s.order, []string{target.Name}) {
			t.Errorf("owners: %q", s.order)
		}
	})
	gap(t, r, unnoticed)
	if r.Lost > 0 {
		t.Errorf("probes lost: %v", r)
	}
	if now := elections(t, w.Directors); now != term || w.leader(t) != target {
		t.Errorf("elections: %q, before: %q", now, term)
	}
	if now := epoch(t, target); now != before {
		t.Errorf("epoch %d, before: %d", now, before)
	}
	t.Logf("control had %d MiB, and %d MiB at most", size>>20, largest>>20)
	if largest > size+more {
		t.Errorf("control grew from %d to %d MiB", size>>20, largest>>20)
	}
}

// counted holds that status tells how much was refused.
func counted(t *testing.T, target *lab.Director) {
	t.Helper()
	var st struct {
		Directors []struct {
			Name    string
			Refused map[string]uint64
		}
	}
	out, err := target.Quorate("status", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		t.Fatal(err)
	}
	for _, d := range st.Directors {
		if d.Name != target.Name {
			continue
		}
		t.Logf("refused: %v", d.Refused)
		for _, why := range []string{"too many connections", "too many packets", "no handshake", "Raft", "a request without", "a request beyond", "a join", "gossip"} {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(d.Refused)), func(k string) bool { return strings.HasPrefix(k, why) }) {
				t.Errorf("nothing is counted as %q", why)
			}
		}
	}
	log, err := os.ReadFile(target.LogFile("agent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the log of %s has %d bytes", target.Name, len(log))
	if len(log) > 1<<20 {
		t.Errorf("the log has %d bytes", len(log))
	}
}

// elections is how often each director lost its leader or another member.
func elections(t *testing.T, all []*lab.Director) string {
	t.Helper()
	var b strings.Builder
	for _, d := range all {
		n := 0
		out := command(t, d, "events", "-o", "json").want(t, 0).out
		for line := range strings.Lines(out) {
			if strings.Contains(line, `"kind":"quorum"`) || strings.Contains(line, `"kind":"member"`) {
				n++
			}
		}
		fmt.Fprintf(&b, "%s %d ", d.Name, n)
	}
	return b.String()
}

// residentSize is the memory that the control of a director has.
func residentSize(t *testing.T, d *lab.Director) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", d.Control().Pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// certificate is one that the cluster makes for somebody.
func certificate(t *testing.T, by *lab.Director, role string) *tls.Certificate {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cert.pem")
	command(t, by, "cert", "create", role, "--role", role, "--out", file).want(t, 0)
	pair, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

// foreign is a certificate of another cluster.
func foreign(t *testing.T) *tls.Certificate {
	t.Helper()
	other := buildAs(t, "ot", 1)
	d := other.Directors[0]
	d.Agent(t)
	command(t, d, "init").want(t, 0)
	return certificate(t, d, "admin")
}
