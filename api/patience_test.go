package api

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inside is a listener whose connections are pipes, so that all time is virtual.
type inside struct {
	conns chan net.Conn
	ended chan struct{}
}

func (l inside) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l inside) Close() error {
	close(l.ended)
	return nil
}

func (l inside) Addr() net.Addr { return &net.UnixAddr{Name: "s"} }

// asking runs a test with a client of an agent that answers as h does, or that is stopped and takes no connection off the
// kernel's hands.
func asking(t *testing.T, h http.HandlerFunc, do func(*testing.T, *Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := inside{make(chan net.Conn, 1), make(chan struct{})}
		server := &http.Server{Handler: h}
		defer server.Close()
		if h != nil {
			go server.Serve(l)
		}
		c := NewClient("/s")
		c.http.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			l.conns <- there
			return here, nil
		}}
		do(t, c)
	})
}

func TestAnAgentThatHangsIsNotWaitedForByWhoOnlyReads(t *testing.T) {
	asking(t, nil, func(t *testing.T, c *Client) {
		began := time.Now()
		_, err := c.Status(t.Context())
		const want = "the agent does not answer on /s: it hangs or is stopped (`systemctl status quorate`)"
		if took := time.Since(began); err == nil || err.Error() != want || took != readLimit {
			t.Errorf("after %v it says %v", took, err)
		}
	})
}

func TestAnAnswerThatHasBegunIsNotCut(t *testing.T) {
	slow := func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(readLimit - time.Second)
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Hour)
		write(&quietly{ResponseWriter: w}, http.StatusOK, Status{Name: "d1"})
	}
	asking(t, slow, func(t *testing.T, c *Client) {
		if st, err := c.Status(t.Context()); err != nil || st.Name != "d1" {
			t.Errorf("%q, %v", st.Name, err)
		}
	})
}

// quietly is a writer whose status is written already.
type quietly struct{ http.ResponseWriter }

func (*quietly) WriteHeader(int) {}

func TestWhatMayTakeLongIsWaitedForAndThatIsSaid(t *testing.T) {
	hours := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Hour)
		switch r.URL.Path {
		case "/v1/events":
			write(w, http.StatusOK, []Event{{Sequence: 1}})
		case "/v1/drain":
			write(w, http.StatusOK, line{Done: true})
		default:
			write(w, http.StatusOK, ApplyResult{Revision: 8})
		}
	}
	asking(t, hours, func(t *testing.T, c *Client) {
		var said bytes.Buffer
		began := time.Now()
		c.Waiting = func() { fmt.Fprintf(&said, "%v ", time.Since(began)) }
		if es, err := c.Events(t.Context(), 0, true); err != nil || len(es) != 1 {
			t.Errorf("events that are waited for: %v, %v", es, err)
		}
		if res, err := c.Apply(t.Context(), ApplyRequest{}); err != nil || res.Revision != 8 {
			t.Errorf("apply: %+v, %v", res, err)
		}
		if err := c.Drain(t.Context(), DrainRequest{}, func(string) {}); err != nil {
			t.Errorf("drain: %v", err)
		}
		if got := strings.TrimSpace(said.String()); got != "1h0m5s 2h0m5s" { // of events nothing is said
			t.Errorf("it said that it waits after %s", got)
		}
	})
}

func TestNothingIsSaidOfAnAnswerThatComesSoon(t *testing.T) {
	soon := func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(waitNotice - time.Millisecond)
		write(w, http.StatusOK, ApplyResult{Revision: 8})
	}
	asking(t, soon, func(t *testing.T, c *Client) {
		c.Waiting = func() { t.Error("it says that it waits") }
		if _, err := c.Apply(t.Context(), ApplyRequest{}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
	})
}
