package checks

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
)

const (
	maxReplyLine  = 2048 // bytes; RFC 5321, section 4.5.3.1.5 says 512, servers say more
	maxReplyLines = 128
)

// newSMTP returns an attempt that takes the banner, says HELO and QUIT, and wants the right code
// each time (RFC 5321, section 4.3.2). It never starts a mail.
func newSMTP(c fsm.Check, target netip.AddrPort, opts Options) (attempt, error) {
	name := c.Host
	if name == "" {
		name = opts.Helo
	}
	if name == "" {
		name, _ = os.Hostname() // without one, the name below does
	}
	if name == "" {
		name = "localhost"
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return nil, fmt.Errorf("host %q: not a name that HELO can say", name)
	}
	return func(ctx context.Context) error { return smtpDialogue(ctx, target, name) }, nil
}

func smtpDialogue(ctx context.Context, target netip.AddrPort, name string) error {
	c, err := dial(ctx, target)
	if err != nil {
		return err
	}
	defer c.Close()
	br := bufio.NewReaderSize(c, maxReplyLine)
	for _, step := range []struct {
		say, wait, about string
		want             int
	}{
		{"", "banner", "banner", 220},
		{"HELO " + name + "\r\n", "answer to HELO", "HELO", 250},
		{"QUIT\r\n", "answer to QUIT", "QUIT", 221},
	} {
		if _, err := io.WriteString(c, step.say); err != nil {
			return await(step.wait, err)
		}
		r, err := readReply(br)
		if err != nil {
			return await(step.wait, err)
		}
		if r.code != step.want {
			return failure(fmt.Sprintf("%s: %s, want %d", step.about, r, step.want))
		}
	}
	return nil
}

// reply is an SMTP reply (RFC 5321, section 4.2): a code, and the text of its first line.
type reply struct {
	code int
	text string
}

// String returns the reply as it is told in a cause.
func (r reply) String() string {
	if text := program.Printable(r.text, maxLine); text != "" {
		return fmt.Sprintf("%d %s", r.code, text)
	}
	return fmt.Sprintf("%d", r.code)
}

const notSMTP = failure("answer is not SMTP")

// readReply reads one reply, of one line or many. A bare code is a reply; lines may end without the
// carriage return.
func readReply(br *bufio.Reader) (reply, error) {
	var r reply
	for n := range maxReplyLines {
		line, err := br.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return reply{}, failure("answer is not SMTP: line over 2 KiB")
		case err != nil:
			return reply{}, err
		}
		code, more, text, ok := replyLine(strings.TrimRight(string(line), "\r\n"))
		if !ok || n > 0 && code != r.code { // RFC 5321, section 4.2.1: one code for all lines
			return reply{}, notSMTP
		}
		if n == 0 {
			r = reply{code: code, text: text}
		}
		if !more {
			return r, nil
		}
	}
	return reply{}, failure("answer is not SMTP: reply over 128 lines")
}

// replyLine takes one line of a reply apart.
func replyLine(line string) (code int, more bool, text string, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' {
		return 0, false, "", false
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, false, "", false
		}
		code = code*10 + int(c-'0')
	}
	if len(line) == 3 {
		return code, false, "", true
	}
	if line[3] != ' ' && line[3] != '-' {
		return 0, false, "", false
	}
	return code, line[3] == '-', line[4:], true
}
