package port

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

// exhausted is a listener without file descriptors, until an hour has passed.
type exhausted struct {
	net.Listener
	until time.Time
	tries int
}

func (e *exhausted) Accept() (net.Conn, error) {
	if time.Now().After(e.until) {
		return nil, net.ErrClosed
	}
	e.tries++
	return nil, &net.OpError{Op: "accept", Err: unix.EMFILE}
}

func (e *exhausted) Addr() net.Addr { return tcp("192.0.2.1") }

// Where file descriptors run out, the port tries on, and does not fill the log, which would take the disk as well.
func TestAPortThatCannotAcceptSaysSoOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &exhausted{until: time.Now().Add(time.Hour)}
		if err := New(l, Config{Log: hclog.New(&hclog.LoggerOptions{Output: &log})}).Run(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(log.String(), "too many open files"); n < 10 || n > 400 || l.tries < 10_000 {
			t.Errorf("in an hour it is said %d times, and %d were tries", n, l.tries)
		}
	})
}
