package address

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
	headerLen  = 16
	bufferSize = 4 << 20 // of a socket's queue
	chunk      = 128     // requests in one send
	answerTime = 2 * time.Second
	dumpTries  = 30
)

// errInterrupted means that the table changed while it was read: what was read may lack entries.
var errInterrupted = errors.New("dump interrupted by a change")

// socket is a non-blocking socket. It stays in the network namespace in which it was opened.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

func openSocket(family, protocol int) (*socket, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, err
	}
	s := &socket{file: os.NewFile(uintptr(fd), "socket")}
	s.raw, err = s.file.SyscallConn()
	if err != nil {
		s.file.Close()
		return nil, err
	}
	return s, nil
}

func (s *socket) sendTo(b []byte, to unix.Sockaddr) error {
	var err error
	outer := s.raw.Write(func(fd uintptr) bool {
		err = unix.EINTR
		for err == unix.EINTR {
			err = unix.Sendto(int(fd), b, 0, to)
		}
		return err != unix.EAGAIN
	})
	return firstOf(outer, err)
}

// firstOf prefers the error that kept a call from being made to the call's own.
func firstOf(outer, inner error) error {
	if outer != nil {
		return outer
	}
	return inner
}

// conn is one rtnetlink socket: either for requests or, once it has joined groups, for what the
// kernel tells. It is not safe for concurrent use.
type conn struct {
	*socket
	seq uint32
	buf []byte
}

func dial() (*conn, error) {
	s, err := openSocket(unix.AF_NETLINK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	var bound error
	err = s.raw.Control(func(fd uintptr) {
		// the kernel tells nothing to a socket without an address
		bound = unix.Bind(int(fd), &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		// each of these is a comfort: a larger queue, shorter answers, lists that the kernel filters
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferSize) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, bufferSize)
		}
		_ = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
		_ = unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	})
	if err := firstOf(err, bound); err != nil {
		s.file.Close()
		return nil, fmt.Errorf("bind a netlink socket: %w", err)
	}
	return &conn{socket: s, buf: make([]byte, 1<<16)}, nil
}

// groups are what the kernel tells of when asked to.
var groups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV6_RULE,
}

func (c *conn) member(option int) error {
	var err error
	outer := c.raw.Control(func(fd uintptr) {
		for _, g := range groups {
			err = errors.Join(err, unix.SetsockoptInt(int(fd), unix.SOL_NETLINK, option, g))
		}
	})
	return firstOf(outer, err)
}

// request is one message to the kernel.
type request struct {
	kind  uint16
	flags uint16
	body  []byte
}

// message is one message from the kernel.
type message struct {
	kind  uint16
	flags uint16
	seq   uint32
	body  []byte
}

// failure returns the error in a message of an error or of an end; nil if there is none.
func (m message) failure() error {
	if len(m.body) < 4 {
		return nil
	}
	if errno := -int32(native.Uint32(m.body)); errno > 0 {
		return syscall.Errno(errno)
	}
	return nil
}

// batch sends requests, many in one system call, and returns the kernel's answer to each.
func (c *conn) batch(requests []request) []error {
	errs := make([]error, 0, len(requests))
	for part := range slices.Chunk(requests, chunk) {
		errs = append(errs, c.batchOne(part)...)
	}
	return errs
}

var errNoAnswer = fmt.Errorf("no answer from the kernel: %w", os.ErrDeadlineExceeded)

func (c *conn) batchOne(requests []request) []error {
	errs := make([]error, len(requests))
	for i := range errs {
		errs[i] = errNoAnswer
	}
	first := c.seq + 1
	var b []byte
	for _, r := range requests {
		r.flags |= unix.NLM_F_ACK
		b = c.appendRequest(b, r)
	}
	missing := len(requests)
	err := c.converse(b, func(m message) bool {
		if i := m.seq - first; m.kind == unix.NLMSG_ERROR && i < uint32(len(errs)) {
			errs[i] = m.failure()
			missing--
		}
		return missing == 0
	})
	if err != nil {
		for i := range errs {
			if errs[i] == errNoAnswer {
				errs[i] = err
			}
		}
	}
	return errs
}

// ask sends one request and returns the bodies of the answers. If the error is errInterrupted after
// many tries, they may lack some.
func (c *conn) ask(r request) ([][]byte, error) {
	for try := 1; ; try++ {
		bodies, err := c.askOnce(r)
		if !errors.Is(err, errInterrupted) || try == dumpTries {
			return bodies, err
		}
	}
}

func (c *conn) askOnce(r request) ([][]byte, error) {
	r.flags |= unix.NLM_F_ACK
	var bodies [][]byte
	var failed error
	interrupted := false
	err := c.converse(c.appendRequest(nil, r), func(m message) bool {
		if m.seq != c.seq {
			return false // the late answer to a question that was given up
		}
		interrupted = interrupted || m.flags&unix.NLM_F_DUMP_INTR != 0
		if m.kind == unix.NLMSG_ERROR || m.kind == unix.NLMSG_DONE {
			failed = m.failure()
			return true
		}
		bodies = append(bodies, slices.Clone(m.body))
		return false
	})
	switch {
	case err != nil:
		return nil, err
	case failed != nil:
		return nil, failed
	case interrupted:
		return bodies, errInterrupted
	}
	return bodies, nil
}

func (c *conn) appendRequest(b []byte, r request) []byte {
	c.seq++
	b = native.AppendUint32(b, uint32(headerLen+len(r.body)))
	b = native.AppendUint16(b, r.kind)
	b = native.AppendUint16(b, unix.NLM_F_REQUEST|r.flags)
	b = native.AppendUint32(b, c.seq)
	b = native.AppendUint32(b, 0)
	return append(b, r.body...)
}

// converse sends requests and calls each with every message until it says that it has all.
func (c *conn) converse(b []byte, each func(message) bool) error {
	if err := c.file.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	if err := c.sendTo(b, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("netlink send: %w", err)
	}
	for {
		got, err := c.receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return errNoAnswer
		}
		if err != nil {
			return fmt.Errorf("netlink receive: %w", err)
		}
		if slices.ContainsFunc(got, each) {
			return nil
		}
	}
}

// receive returns the next messages. They are overwritten by the next call.
func (c *conn) receive() ([]message, error) {
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
	if err := firstOf(outer, err); err != nil {
		return nil, err
	}
	if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
		return nil, nil // not the kernel
	}
	if flags&unix.MSG_TRUNC != 0 {
		return nil, errors.New("message is longer than the buffer")
	}
	return parseMessages(c.buf[:n])
}

// drain throws away what has arrived.
func (c *conn) drain() error {
	var err error
	outer := c.raw.Control(func(fd uintptr) {
		for err == nil || err == unix.EINTR || err == unix.ENOBUFS {
			_, _, err = unix.Recvfrom(int(fd), c.buf, unix.MSG_DONTWAIT)
		}
	})
	if err == unix.EAGAIN {
		err = nil
	}
	return firstOf(outer, err)
}

func parseMessages(b []byte) ([]message, error) {
	var out []message
	for len(b) >= headerLen {
		size := native.Uint32(b)
		if size < headerLen || uint64(size) > uint64(len(b)) {
			return nil, errShort
		}
		out = append(out, message{
			kind: native.Uint16(b[4:]), flags: native.Uint16(b[6:]), seq: native.Uint32(b[8:]),
			body: b[headerLen:size],
		})
		b = b[min(len(b), (int(size)+3)&^3):]
	}
	return out, nil
}
