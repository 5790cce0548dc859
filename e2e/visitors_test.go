package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// A visitor asks one service again and again, each time on a new connection and once.
type visitor struct {
	service string
	stop    chan struct{}
	done    sync.WaitGroup

	mu   sync.Mutex // guards what follows
	seen []error    // one for each request, nil for a good one
}

// visitEvery is how often each service is asked.
const visitEvery = 300 * time.Millisecond

// clients begins to ask every service.
func (w *ward) clients() []*visitor {
	c := client{w.t, w.a}
	var all []*visitor
	for _, s := range treatments() {
		v := &visitor{service: s.name, stop: make(chan struct{})}
		to := fmt.Sprintf("%s:%d", lab.OuterVIP, s.port)
		v.done.Go(func() { v.run(func() error { return w.ask(c, s.name, to) }) })
		all = append(all, v)
	}
	return all
}

func (v *visitor) run(ask func() error) {
	tick := time.NewTicker(visitEvery)
	defer tick.Stop()
	for {
		select {
		case <-v.stop:
			return
		case <-tick.C:
			v.done.Go(func() {
				err := ask()
				v.mu.Lock()
				defer v.mu.Unlock()
				v.seen = append(v.seen, err)
			})
		}
	}
}

// close ends the asking.
func (v *visitor) close() (asked int, failed []string) {
	close(v.stop)
	v.done.Wait()
	for _, err := range v.seen {
		if err != nil {
			failed = append(failed, err.Error())
		}
	}
	return len(v.seen), failed
}

// ask makes one request of a service, as its users do.
func (w *ward) ask(c client, service, to string) error {
	conn, err := c.dial("tcp", "", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	switch service {
	case "https":
		stream := tls.Client(conn, &tls.Config{RootCAs: w.roots, ServerName: "web.lab"})
		return fetch(stream, healthyTLS)
	case "http":
		return fetch(conn, healthy)
	case "smtp":
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "220") {
			err = fmt.Errorf("answer %q", line)
		}
		return err
	}
	answer := make([]byte, 5)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, answer)
	return err
}

// healthyTLS is in every answer over TLS, which is the server's name.
const healthyTLS = "rs"

func fetch(conn io.ReadWriter, want string) error {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: web.lab\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want)) {
		err = fmt.Errorf("status %d, body %q", resp.StatusCode, body)
	}
	return err
}
