package checks

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// mta answers each line that it is told with the next reply, after greeting with the first, and
// sends what it heard to heard.
func mta(heard chan<- string, replies ...string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		var said strings.Builder
		for _, r := range replies {
			io.WriteString(c, r)
			line, err := br.ReadString('\n')
			said.WriteString(line)
			if err != nil {
				break
			}
		}
		if heard != nil {
			rest, _ := io.ReadAll(br)
			heard <- said.String() + string(rest)
		}
	}
}

func TestSMTPDialogue(t *testing.T) {
	t.Parallel()
	hi, ok, bye := "220 mx.example ESMTP\r\n", "250 mx.example\r\n", "221 bye\r\n"
	for _, tt := range []struct {
		name   string
		server func(*net.TCPConn)
		want   string
	}{
		{"single lines", mta(nil, hi, ok, bye), ""},
		{"many lines", mta(nil, "220-mx.example\r\n220-no spam\r\n220 ready\r\n", "250-mx\r\n250 SIZE 1\r\n", "221-see\r\n221 you\r\n"), ""},
		{"bare codes", mta(nil, "220\r\n", "250\r\n", "221\r\n"), ""},
		{"bare line feeds", mta(nil, "220 a\n", "250-a\n250\n", "221\n"), ""},
		{"a banner in small pieces", func(c *net.TCPConn) {
			for _, b := range hi[:len(hi)-1] {
				fmt.Fprintf(c, "%c", b)
				time.Sleep(time.Millisecond)
			}
			mta(nil, "\n", ok, bye)(c)
		}, ""},
		{"busy", mta(nil, "421 too busy\r\n"), "banner: 421 too busy, want 220"},
		{"no service", mta(nil, "554 go\r\n"), "banner: 554 go, want 220"},
		{"HELO refused", mta(nil, hi, "550 who?\r\n"), "HELO: 550 who?, want 250"},
		{"599 after QUIT", mta(nil, hi, ok, "599 no\r\n"), "QUIT: 599 no, want 221"},
		{"silence after HELO", func(c *net.TCPConn) { io.WriteString(c, hi); hold(c) }, "no answer to HELO in 1s"},
		{"hang up after HELO", mta(nil, hi), "connection closed, no answer to HELO"},
		{"mixed codes", mta(nil, "220-a\r\n250 b\r\n"), "answer is not SMTP"},
		{"garbage", mta(nil, "HTTP/1.1 400 Bad\r\n"), "answer is not SMTP"},
		{"a code that runs on", mta(nil, "2200 a\r\n"), "answer is not SMTP"},
		{"silence", hold, "no banner in 1s"},
		{"drip", drip("", "2"), "no banner in 1s"},
		{"drip of lines", drip("", "220-x\r\n"), "no banner in 1s"},
		{"endless line", flood("220 ", "xxxxxxxxxxxxxxxx"), "answer is not SMTP: line over 2 KiB"},
		{"endless reply", flood("", "220-x\r\n"), "answer is not SMTP: reply over 128 lines"},
		{"hang up", func(*net.TCPConn) {}, "connection closed, no banner"},
		{"half a banner", func(c *net.TCPConn) { io.WriteString(c, "220 he") }, "connection closed, no banner"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantCause(t, fsm.Check{Kind: fsm.CheckSMTP, Timeout: short}, serve(t, tt.server), tt.want)
		})
	}
}

func TestSMTPSaysHeloAndQuitAndNoMore(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"":             "HELO lb1.example\r\nQUIT\r\n",
		"mail.example": "HELO mail.example\r\nQUIT\r\n",
	} {
		heard := make(chan string, 1)
		target := serve(t, mta(heard, "220 a\r\n", "250 b\r\n"))
		// No answer to QUIT is given, so that the server reads to the end of all that is said.
		wantCause(t, fsm.Check{Kind: fsm.CheckSMTP, Host: host, Timeout: short}, target, "no answer to QUIT in 1s")
		if got := <-heard; got != want {
			t.Errorf("with host %q the server heard %q, want %q", host, got, want)
		}
	}
}

// FuzzReadReply holds the parser against the grammar: what it takes can be said again, and is taken
// alike; it reads no further than the reply; and it never takes a reply that begins with no code.
func FuzzReadReply(f *testing.F) {
	for _, seed := range []string{
		"220 hi\r\n", "220\r\n", "220-a\r\n220 b\r\n", "220-a\r\n221 b\r\n", "220", "", "\r\n", "99 x\r\n", "220\tx\r\n",
		"250-\r\n250\r\n", "599 \x00\xff\r\nrest", strings.Repeat("220-x\r\n", 200), "220 " + strings.Repeat("x", 4000) + "\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		br := bufio.NewReaderSize(strings.NewReader(in+"\r\nmark"), maxReplyLine)
		r, err := readReply(br)
		if err != nil {
			return
		}
		if r.code < 200 || r.code > 599 || in[:3] != fmt.Sprint(r.code) {
			t.Fatalf("readReply(%q) = %+v", in, r)
		}
		if rest, err := io.ReadAll(br); err != nil || !strings.HasSuffix(in+"\r\nmark", string(rest)) || len(rest) == 0 {
			t.Fatalf("readReply(%q) left %q, %v", in, rest, err)
		}
		again, err := readReply(bufio.NewReaderSize(strings.NewReader(fmt.Sprintf("%d %s\r\n", r.code, r.text)), maxReplyLine))
		if err != nil || again != r {
			t.Fatalf("read again: %+v, %v; want %+v", again, err, r)
		}
	})
}
