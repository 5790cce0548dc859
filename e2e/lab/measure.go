package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// defaultLimit ends a measurement that nobody ends.
const defaultLimit = 5 * time.Minute

// A measurement is a process on a host that measures until its input is closed, then writes a report.
type measurement struct {
	what    string
	process *Process
	stdin   io.Closer
	stdout  *bytes.Buffer
}

func (h *Host) measure(role string, order any) *measurement {
	h.net.t.Helper()
	m := &measurement{what: role + " on " + h.Name, stdout: &bytes.Buffer{}}
	ready := make(chan struct{})
	p, err := h.startChild(role, role, order, func(cmd *exec.Cmd) error {
		var err error
		cmd.Stdout = &firstByte{to: m.stdout, seen: ready}
		m.stdin, err = cmd.StdinPipe()
		return err
	})
	if err != nil {
		h.net.t.Fatalf("lab: %s: %v", m.what, err)
	}
	m.process = p
	select {
	case <-ready:
	case <-p.done:
		h.net.t.Fatalf("lab: %s ended at once: see %s", m.what, h.LogFile(role))
	case <-time.After(10 * time.Second):
		h.net.t.Fatalf("lab: %s does not begin", m.what)
	}
	return m
}

// firstByte tells of the first write: a measurement writes a newline when it begins.
type firstByte struct {
	to   io.Writer
	seen chan struct{}
	told bool
}

func (f *firstByte) Write(p []byte) (int, error) {
	if !f.told {
		f.told = true
		close(f.seen)
	}
	return f.to.Write(p)
}

// finish ends the measurement and decodes its report.
func (m *measurement) finish(report any) error {
	m.stdin.Close()
	select {
	case <-m.process.done:
	case <-time.After(15 * time.Second):
		m.process.Kill()
		return fmt.Errorf("%s: does not end", m.what)
	}
	if m.process.err != nil {
		return fmt.Errorf("%s: %w", m.what, m.process.err)
	}
	if err := json.Unmarshal(m.stdout.Bytes(), report); err != nil {
		return fmt.Errorf("%s: report: %w", m.what, err)
	}
	return nil
}

// A Probe says what a [Prober] sends.
type Probe struct {
	To       string        // an address
	Port     int           // of a UDP echo service; 0 sends ICMP echo requests
	Interval time.Duration // 0 is 1 ms
	Limit    time.Duration // 0 is five minutes
}

// A Prober sends an echo request each interval and remembers which were answered.
type Prober struct {
	h *Host
	m *measurement
}

// A ProbeReport is what a [Prober] saw.
type ProbeReport struct {
	Sent     int
	Answered int
	Lost     int
	Longest  time.Duration // the longest time without a request that was answered
	At       time.Time     // when it began
	Away     time.Duration // the same with a request in it that was not: 0 if all were answered, however late they were sent
	Stall    time.Duration // the longest time between two requests: no gap below it means anything
}

// Probe begins to send echo requests from the host.
func (h *Host) Probe(p Probe) *Prober {
	h.net.t.Helper()
	return &Prober{h, h.measure(roleProbe, p)}
}

// Close ends the probing and returns what it saw. Answers may take half a second.
func (p *Prober) Close() ProbeReport {
	p.h.net.t.Helper()
	var r ProbeReport
	if err := p.m.finish(&r); err != nil {
		p.h.net.t.Fatalf("lab: %v", err)
	}
	return r
}

// Stop ends it, and nobody wants its report. It may have been closed.
func (p *Prober) Stop() { p.m.stdin.Close() }

// String is the report in a line.
func (r ProbeReport) String() string {
	const step = 100 * time.Microsecond
	return fmt.Sprintf("%d sent, %d lost, longest gap %v (sender's own stall %v)", r.Sent, r.Lost, r.Longest.Round(step), r.Stall.Round(step))
}

// Requests says what an [HTTPClient] does.
type Requests struct {
	To      string        // address and port; several with commas between take turns
	Path    string        // "" is /
	Rate    int           // new connections per second; 0 is 20
	Timeout time.Duration // of a request, all in all; 0 is 5 s
	Limit   time.Duration // 0 is five minutes
}

// An HTTPClient makes a new connection for each request, at a steady rate, and never tries again.
type HTTPClient struct {
	h *Host
	m *measurement
}

// A RequestReport is what an [HTTPClient] saw.
type RequestReport struct {
	Sent     int
	OK       int            // answered with status 200
	ByServer map[string]int // the answers, by the name of the real server
	Failures []Failure
	Longest  time.Duration // the longest time between two answers
	At       time.Time     // when it began
	Slowest  time.Duration // the longest time a request took that was answered
	Stall    time.Duration // for how long the client itself stood still at most: that is not the network's fault
}

// A Failure is a request or a connection that failed.
type Failure struct {
	At    time.Time // when it was begun
	After time.Duration
	Err   string
}

// Requests begins to make HTTP requests from the host.
func (h *Host) Requests(r Requests) *HTTPClient {
	h.net.t.Helper()
	return &HTTPClient{h, h.measure(roleRequests, r)}
}

// Close ends the requests, waits for those that are open, and returns what was seen.
func (c *HTTPClient) Close() RequestReport {
	c.h.net.t.Helper()
	var r RequestReport
	if err := c.m.finish(&r); err != nil {
		c.h.net.t.Fatalf("lab: %v", err)
	}
	return r
}

// Stop is [Prober.Stop].
func (c *HTTPClient) Stop() { c.m.stdin.Close() }

// String is the report in a few lines.
func (r RequestReport) String() string {
	var shares []string
	for _, name := range slices.Sorted(maps.Keys(r.ByServer)) {
		shares = append(shares, fmt.Sprintf("%s %d", name, r.ByServer[name]))
	}
	const step = time.Millisecond
	text := fmt.Sprintf("%d requests, %d failed, longest gap %v, slowest %v, client's own stall %v, answered by %s",
		r.Sent, len(r.Failures), r.Longest.Round(step), r.Slowest.Round(step), r.Stall.Round(step), strings.Join(shares, ", "))
	for i, f := range r.Failures {
		if i == 5 {
			return text + "\n ..."
		}
		text += fmt.Sprintf("\n %s after %v: %s", f.At.Format("15:04:05.000"), f.After, f.Err)
	}
	return text
}

// Connections says what [Conns] do.
type Connections struct {
	To       string        // address and port of a TCP echo service; several with commas between take turns
	Count    int           // 0 is 10
	Interval time.Duration // between two messages on a connection; 0 is 50 ms
	Limit    time.Duration // 0 is five minutes
}

// Conns are long-lived connections with a message in each interval.
type Conns struct {
	h *Host
	m *measurement
}

// A ConnReport is what one connection lived through.
type ConnReport struct {
	Local     string // its own address and port
	Exchanged int    // messages that came back
	Longest   time.Duration
	At        time.Time // when the longest wait for an answer began
	Failure   *Failure  // what ended it, as a reset; nil if it lives
}

// Connections opens connections from the host and keeps them busy.
func (h *Host) Connections(c Connections) *Conns {
	h.net.t.Helper()
	return &Conns{h, h.measure(roleConnections, c)}
}

// Close ends the connections and returns what each lived through.
func (c *Conns) Close() ConnsReport {
	c.h.net.t.Helper()
	var r ConnsReport
	if err := c.m.finish(&r); err != nil {
		c.h.net.t.Fatalf("lab: %v", err)
	}
	return r
}

// Stop is [Prober.Stop].
func (c *Conns) Stop() { c.m.stdin.Close() }

// A ConnsReport is a report for each connection.
type ConnsReport []ConnReport

// Broken are the connections that were ended by something else than the measurement.
func (r ConnsReport) Broken() ConnsReport {
	var broken ConnsReport
	for _, c := range r {
		if c.Failure != nil {
			broken = append(broken, c)
		}
	}
	return broken
}

// Longest is the longest wait for an answer on any connection.
func (r ConnsReport) Longest() time.Duration {
	var longest time.Duration
	for _, c := range r {
		longest = max(longest, c.Longest)
	}
	return longest
}

// String is the report in a few lines.
func (r ConnsReport) String() string {
	broken := r.Broken()
	var text strings.Builder
	text.WriteString(fmt.Sprintf("%d connections, %d broken, longest wait %v", len(r), len(broken), r.Longest()))
	for _, c := range broken {
		text.WriteString(fmt.Sprintf("\n %s: %s after %d messages: %s", c.Failure.At.Format("15:04:05.000"), c.Local, c.Exchanged, c.Failure.Err))
	}
	return text.String()
}
