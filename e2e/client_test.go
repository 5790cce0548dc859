package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// A client makes connections from the client's host, one after the other.
type client struct {
	t lab.T
	a *lab.Article
}

// dial opens a connection from one of the client's addresses, or from its first if that is "".
func (c client) dial(network, from, to string) (net.Conn, error) {
	d := net.Dialer{Timeout: 3 * time.Second}
	if ip := net.ParseIP(from); ip != nil {
		d.LocalAddr = &net.TCPAddr{IP: ip}
	}
	var conn net.Conn
	var err error
	if outer := c.a.Client.Do(func() { conn, err = d.Dial(network, to) }); outer != nil {
		return nil, outer
	}
	return conn, err
}

// get makes a request on a connection, leaves it open, and returns the name of the server.
func get(conn net.Conn) (string, error) {
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n"); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("X-Server"), err
}

// ask makes one request on a connection of its own, and returns the name of the server.
func (c client) ask(from, to string) string {
	c.t.Helper()
	h := c.hold(from, to)
	h.conn.Close()
	return h.server
}

// A held is a connection that stays, and the server that it is with.
type held struct {
	conn   net.Conn
	server string
}

func (c client) hold(from, to string) held {
	c.t.Helper()
	conn, err := c.dial("tcp", from, to)
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	server, err := get(conn)
	if err != nil {
		c.t.Fatalf("request to %s: %v", to, err)
	}
	return held{conn, server}
}

// echo sends a datagram from a port of its own, and waits for the answer.
func (c client) echo(to string) {
	c.t.Helper()
	conn, err := c.dial("udp", "", to)
	if err != nil {
		c.t.Fatalf("%v", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	answer := make([]byte, 16)
	if _, err = io.WriteString(conn, "hello"); err == nil {
		_, err = conn.Read(answer)
	}
	if err != nil || string(answer[:5]) != "hello" {
		c.t.Fatalf("echo of %s: %q, %v", to, answer, err)
	}
}

func tally(names []string) map[string]int {
	n := map[string]int{}
	for _, name := range names {
		n[name]++
	}
	return n
}

// counts is a tally in the order of the servers.
func counts(n map[string]int) []int { return []int{n["rs1"], n["rs2"], n["rs3"]} }

// A load is the connections that are held to one service.
type load struct {
	client  client
	service scheduled
	to      string
	cost    func(conns, weight float64) float64
	held    []held
}

// load begins when the service is without connections. Cost is what a scheduler minimises, of the connections of a server
// before the new one, and its weight.
func (c client) load(s scheduled, cost func(conns, weight float64) float64) *load {
	c.t.Helper()
	l := &load{client: c, service: s, to: s.to, cost: cost}
	l.await("the service is without connections")
	return l
}

func (l *load) counts() []int {
	var names []string
	for _, h := range l.held {
		names = append(names, h.server)
	}
	return counts(tally(names))
}

// open opens n connections more and returns the servers that they are with.
func (l *load) open(n int) []string {
	l.client.t.Helper()
	var names []string
	for range n {
		h := l.client.hold("", l.to)
		l.held = append(l.held, h)
		names = append(names, h.server)
	}
	return names
}

// grow opens n connections, each of which must go to a server of least cost, and must then find that
// many on each, by its own count and the kernel's.
func (l *load) grow(n int, want []int) error {
	l.client.t.Helper()
	for range n {
		before := l.counts()
		i := slices.Index(servers, l.open(1)[0])
		cost := make([]float64, len(before))
		for j, conns := range before {
			cost[j] = l.cost(float64(conns), float64(l.service.weights[j]))
		}
		if i < 0 || cost[i] > slices.Min(cost) {
			return fmt.Errorf("with %v connections on servers of weights %v the next is %v", before, l.service.weights, l.counts())
		}
	}
	if got := l.counts(); !slices.Equal(got, want) {
		return fmt.Errorf("connections %v on servers of weights %v, want %v", got, l.service.weights, want)
	}
	if got := active(l.client.a.Directors[0], l.service); !slices.Equal(got, want) {
		return fmt.Errorf("the kernel counts %v connections, want %v", got, want)
	}
	return nil
}

// end ends the connections with a server, and waits until the kernel has noticed.
func (l *load) end(server string) {
	l.client.t.Helper()
	l.held = slices.DeleteFunc(l.held, func(h held) bool {
		if h.server == server {
			h.conn.Close()
		}
		return h.server == server
	})
	l.await("the connections with " + server + " have ended")
}

// await waits until the kernel has the connections that are held, and no other.
func (l *load) await(what string) {
	l.client.t.Helper()
	lab.Eventually(l.client.t, 5*time.Second, what, func() error {
		if got := active(l.client.a.Directors[0], l.service); !slices.Equal(got, l.counts()) {
			return fmt.Errorf("the kernel counts %v connections, want %v", got, l.counts())
		}
		return nil
	})
}

func (l *load) close() {
	for _, h := range l.held {
		h.conn.Close()
	}
}

// active are the connections that the kernel has with the servers of a service.
func active(d *lab.Director, s scheduled) []int {
	if s.mark != 0 {
		return column(d, "FWM", strconv.Itoa(s.mark), 4)
	}
	return column(d, "TCP", s.to, 4)
}

// column is a column of `ipvsadm -Ln`, 3 for weights, 4 for active and 5 for other connections, of the servers of a
// service, in their order.
func column(d *lab.Director, protocol, service string, n int) []int {
	got := make([]int, len(servers))
	within := false
	for line := range strings.Lines(d.MustRun("ipvsadm", "-Ln")) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 3 && fields[0] != "->":
			within = fields[0] == protocol && fields[1] == service
		case within && len(fields) == 6:
			host, _, _ := net.SplitHostPort(fields[1])
			if i := slices.Index([]string{"192.168.2.11", "192.168.2.12", "192.168.2.13"}, host); i >= 0 {
				got[i], _ = strconv.Atoi(fields[n])
			}
		}
	}
	return got
}
