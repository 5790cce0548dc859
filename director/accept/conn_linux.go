package accept

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	queueSize  = 1 << 20 // of a socket
	answerSize = 1 << 16 // of what comes at once
	answerTime = 2 * time.Second
	dumpTries  = 30
)

var (
	errNoAnswer    = fmt.Errorf("no answer from the kernel: %w", os.ErrDeadlineExceeded)
	errInterrupted = errors.New("dump interrupted by a change")
)

// conn is one socket to netfilter. It stays in the network namespace in which it was opened, and is not safe
// for concurrent use.
type conn struct {
	file *os.File
	raw  syscall.RawConn
	seq  uint32
	buf  []byte
}

// dial opens a socket, which is told of the changes of groups.
func dial(groups ...int) (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open a socket to netfilter: %w", err)
	}
	// each of these is a comfort: longer queues, shorter answers
	for option, value := range map[int]int{unix.SO_RCVBUFFORCE: queueSize, unix.SO_SNDBUFFORCE: queueSize} {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, value)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	for _, g := range groups {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bind a socket to netfilter: %w", err), unix.Close(fd))
	}
	c := &conn{file: os.NewFile(uintptr(fd), "netfilter"), buf: make([]byte, answerSize)}
	if c.raw, err = c.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, c.file.Close())
	}
	return c, nil
}

// change has the kernel do all of some requests or none; a trial only says whether it would.
func (c *conn) change(requests []request, trial bool) error {
	begin := c.seq + 1
	c.seq += uint32(len(requests)) + 2
	last := begin + uint32(len(requests))
	var failed error
	err := c.converse(transaction(begin, requests, !trial), func(a answer) bool {
		if a.kind != unix.NLMSG_ERROR || a.seq < begin || a.seq > last {
			return false
		}
		if failed == nil {
			failed = a.failure()
		}
		return a.seq == last || a.seq == begin // an error of the whole
	})
	return errors.Join(err, failed)
}

// list returns the attributes of all that the kernel has of a kind.
func (c *conn) list(kind uint16, body []byte) ([][]byte, error) {
	for try := 1; ; try++ {
		all, err := c.ask(kind, unix.NLM_F_DUMP, body)
		if !errors.Is(err, errInterrupted) || try == dumpTries {
			return all, err
		}
	}
}

// ask sends one request and returns the attributes of each answer.
func (c *conn) ask(kind, flags uint16, body []byte) ([][]byte, error) {
	c.seq++
	seq := c.seq
	var all [][]byte
	var failed error
	err := c.converse(message(nil, kindOf(kind), flags|unix.NLM_F_ACK, seq, unix.NFPROTO_INET, 0, body), func(a answer) bool {
		if a.seq != seq {
			return false // the late answer to a question that was given up
		}
		if a.flags&unix.NLM_F_DUMP_INTR != 0 {
			failed = errInterrupted
		}
		if a.kind == unix.NLMSG_ERROR || a.kind == unix.NLMSG_DONE {
			failed = errors.Join(failed, a.failure())
			return true
		}
		all = append(all, slices.Clone(a.attributes()))
		return false
	})
	return all, errors.Join(err, failed)
}

// converse sends bytes and calls each with every message until it says that it has all.
func (c *conn) converse(b []byte, each func(answer) bool) error {
	if err := c.file.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	if err := c.send(b); err != nil {
		return fmt.Errorf("send to netfilter: %w", err)
	}
	for {
		got, err := c.receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errNoAnswer
		}
		if err != nil {
			return fmt.Errorf("receive from netfilter: %w", err)
		}
		if slices.ContainsFunc(got, each) {
			return nil
		}
	}
}

func (c *conn) send(b []byte) error {
	var err error
	outer := c.raw.Write(func(fd uintptr) bool {
		err = unix.EINTR
		for err == unix.EINTR {
			err = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		}
		return err != unix.EAGAIN
	})
	if outer != nil {
		return outer
	}
	return err
}

// receive returns the next messages. They are overwritten by the next call.
func (c *conn) receive() ([]answer, error) {
	var n, flags int
	var from unix.Sockaddr
	var err error
	outer := c.raw.Read(func(fd uintptr) bool {
		err = unix.EINTR
		for err == unix.EINTR {
			n, _, flags, from, err = unix.Recvmsg(int(fd), c.buf, nil, 0)
		}
		return err != unix.EAGAIN
	})
	switch {
	case outer != nil:
		return nil, outer
	case err != nil:
		return nil, err
	}
	if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
		return nil, nil // not the kernel
	}
	if flags&unix.MSG_TRUNC != 0 {
		return nil, errors.New("message is longer than the buffer")
	}
	return parse(c.buf[:n])
}
