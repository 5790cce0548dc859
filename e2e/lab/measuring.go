package lab

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// until is closed when standard input is, or after the limit. The newline says that the measurement
// begins.
func until(limit time.Duration) <-chan struct{} {
	done := make(chan struct{})
	end := sync.OnceFunc(func() { close(done) })
	time.AfterFunc(cmp.Or(limit, defaultLimit), end)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		end()
	}()
	fmt.Println()
	return done
}

func report(r any) error { return json.NewEncoder(os.Stdout).Encode(r) }

// probing is the memory of a prober: when each request was sent, and whether it was answered.
type probing struct {
	conn net.Conn
	icmp bool
	v6   bool

	mu       sync.Mutex // guards what follows
	sent     []time.Time
	answered []bool
}

func runProbe(p Probe) error {
	probe := &probing{icmp: p.Port == 0, v6: strings.Contains(p.To, ":")}
	network, to := "udp", net.JoinHostPort(p.To, fmt.Sprint(p.Port))
	if probe.icmp {
		network, to = "ip4:icmp", p.To
		if probe.v6 {
			network = "ip6:ipv6-icmp"
		}
	}
	var err error
	if probe.conn, err = net.Dial(network, to); err != nil {
		return err
	}
	go probe.receive()
	done := until(p.Limit)
	interval := cmp.Or(p.Interval, time.Millisecond)
	next := time.Now()
	for {
		select {
		case <-done:
			time.Sleep(500 * time.Millisecond)
			return report(probe.report())
		default:
		}
		probe.send()
		next = next.Add(interval)
		now := time.Now()
		if next.Before(now.Add(-10 * interval)) {
			next = now // a stall is not caught up with
		}
		time.Sleep(next.Sub(now))
	}
}

func (p *probing) send() {
	p.mu.Lock()
	seq := len(p.sent)
	p.sent, p.answered = append(p.sent, time.Now()), append(p.answered, false)
	p.mu.Unlock()
	payload := binary.BigEndian.AppendUint32([]byte("quorate "), uint32(seq))
	if p.icmp {
		m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: seq & 0xffff, Data: payload}}
		if p.v6 {
			m.Type = ipv6.ICMPTypeEchoRequest // the kernel fills the checksum in
		}
		payload, _ = m.Marshal(nil)
	}
	p.conn.Write(payload) // one that cannot be sent is not answered
}

func (p *probing) receive() {
	buf := make([]byte, 1500)
	for {
		n, err := p.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(time.Millisecond) // refused or unreachable, told late
			continue
		}
		payload := buf[:n]
		if p.icmp {
			if !p.v6 { // a raw IPv4 socket reads the header as well
				payload = payload[min(n, int(buf[0]&0xf)*4):]
			}
			if len(payload) < 8 || payload[0] != byte(ipv4.ICMPTypeEchoReply) && payload[0] != byte(ipv6.ICMPTypeEchoReply) ||
				binary.BigEndian.Uint16(payload[4:]) != uint16(os.Getpid()) {
				continue
			}
			payload = payload[8:]
		}
		if len(payload) < 12 {
			continue
		}
		seq := int(binary.BigEndian.Uint32(payload[8:]))
		p.mu.Lock()
		if seq < len(p.answered) {
			p.answered[seq] = true
		}
		p.mu.Unlock()
	}
}

func (p *probing) report() ProbeReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := ProbeReport{Sent: len(p.sent)}
	if len(p.sent) == 0 {
		return r
	}
	last, lost := p.sent[0], false
	for i, at := range p.sent {
		if i > 0 {
			r.Stall = max(r.Stall, at.Sub(p.sent[i-1]))
		}
		if p.answered[i] {
			r.Answered++
		}
		if gap := at.Sub(last); gap > r.Longest && (p.answered[i] || i == len(p.sent)-1) {
			r.Longest, r.At = gap, last
		}
		lost = lost || !p.answered[i]
		if lost && (p.answered[i] || i == len(p.sent)-1) {
			r.Away = max(r.Away, at.Sub(last))
		}
		if p.answered[i] {
			last, lost = at, false
		}
	}
	r.Lost = r.Sent - r.Answered
	return r
}

// requesting collects the answers of an HTTP client.
type requesting struct {
	order Requests

	mu     sync.Mutex // guards what follows
	report RequestReport
	last   time.Time // of an answer
}

// maxOpen bounds the requests that wait for an answer.
const maxOpen = 2000

func runRequests(order Requests) error {
	c := &requesting{order: order, last: time.Now(), report: RequestReport{ByServer: map[string]int{}}}
	interval := time.Second / time.Duration(cmp.Or(order.Rate, 20))
	room := make(chan struct{}, maxOpen)
	var open sync.WaitGroup
	done := until(order.Limit)
	for next, turn := time.Now(), 0; ; turn++ {
		select {
		case <-done:
			open.Wait()
			c.gap(time.Now())
			return report(c.report)
		default:
		}
		if c.late(time.Since(next)) > time.Second {
			next = time.Now() // a long stall is not caught up with: so many at once would be another load
		}
		room <- struct{}{}
		open.Go(func() {
			c.one(inTurn(order.To, turn))
			<-room
		})
		next = next.Add(interval)
		time.Sleep(time.Until(next))
	}
}

// late notes by how much a request is late, and returns it.
func (c *requesting) late(by time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Stall = max(c.report.Stall, by)
	return by
}

// gap notes the time since the last answer. The caller has the lock, or nobody else runs.
func (c *requesting) gap(now time.Time) {
	if gap := now.Sub(c.last); gap > c.report.Longest {
		c.report.Longest, c.report.At = gap, c.last
	}
}

func (c *requesting) one(to string) {
	start := time.Now()
	server, err := c.fetch(to, start)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Sent++
	if err != nil {
		c.report.Failures = append(c.report.Failures, Failure{At: start, After: now.Sub(start), Err: err.Error()})
		return
	}
	c.report.OK++
	c.report.ByServer[server]++
	c.report.Slowest = max(c.report.Slowest, now.Sub(start))
	c.gap(now)
	c.last = now
}

// fetch makes one request on a connection of its own, and returns the name of the server.
func (c *requesting) fetch(to string, start time.Time) (string, error) {
	deadline := start.Add(cmp.Or(c.order.Timeout, 5*time.Second))
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", to)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(deadline)
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n", cmp.Or(c.order.Path, "/"))
	if err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d from %s", resp.StatusCode, resp.Header.Get("X-Server"))
	}
	return resp.Header.Get("X-Server"), nil
}

// inTurn is one of some addresses with commas between.
func inTurn(all string, turn int) string {
	each := strings.Split(all, ",")
	return each[turn%len(each)]
}

func runConnections(order Connections) error {
	reports := make(ConnsReport, cmp.Or(order.Count, 10))
	conns := make([]net.Conn, len(reports))
	for i := range conns {
		conn, err := net.DialTimeout("tcp", inTurn(order.To, i), 5*time.Second)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		conns[i], reports[i].Local = conn, conn.LocalAddr().String()
	}
	done := until(order.Limit)
	var open sync.WaitGroup
	for i, conn := range conns {
		open.Go(func() { keepBusy(conn, cmp.Or(order.Interval, 50*time.Millisecond), done, &reports[i]) })
	}
	open.Wait()
	return report(reports)
}

// keepBusy exchanges messages until done. An answer that does not come is waited for until then.
func keepBusy(conn net.Conn, interval time.Duration, done <-chan struct{}, r *ConnReport) {
	defer conn.Close()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-done:
			conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		case <-stop:
		}
	}()
	message := []byte("are you still there?")
	buf := make([]byte, len(message))
	for {
		start := time.Now()
		_, err := conn.Write(message)
		if err == nil {
			_, err = io.ReadFull(conn, buf)
		}
		if wait := time.Since(start); wait > r.Longest {
			r.Longest, r.At = wait, start
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return // ended by us; Longest says how long it waited
		}
		if err != nil {
			r.Failure = &Failure{At: start, After: time.Since(start), Err: err.Error()}
			return
		}
		r.Exchanged++
		select {
		case <-done:
			return
		case <-time.After(interval):
		}
	}
}
