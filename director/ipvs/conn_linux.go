package ipvs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	headerLen   = 20 // struct nlmsghdr and struct genlmsghdr
	maxBatch    = 60_000
	bufferSize  = 4 << 20 // wanted for the socket, each way
	receiveSize = 1 << 18
	poll        = 200 * time.Millisecond // how late a cancelled context is noticed
)

// ErrNoIPVS means that the kernel has no IPVS.
var ErrNoIPVS = errors.New("the kernel has no IPVS: load the module (modprobe ip_vs), or run a kernel built with CONFIG_IP_VS")

// errNoAnswer means that the kernel did not answer a request in time. It may have done it.
var errNoAnswer = fmt.Errorf("no answer from the kernel: %w", os.ErrDeadlineExceeded)

// conn is a conversation with the kernel's generic netlink family IPVS. After an error of the
// conversation itself it must be closed: what arrives later would answer the wrong question.
type conn struct {
	fd     int
	seq    uint32
	family uint16
	buf    []byte
}

// request is one message to the kernel.
type request struct {
	cmd  uint8
	dump bool
	body []byte // attributes
}

// dial opens a conversation in a network namespace.
func dial(ctx context.Context, ns netns.NsHandle) (*conn, error) {
	var fd int
	err := inside(ns, func() (err error) {
		fd, err = socket()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	c := &conn{fd: fd, buf: make([]byte, receiveSize)}
	if c.family, err = c.lookup(ctx); errors.Is(err, unix.ENOENT) {
		loadModule(ctx)
		c.family, err = c.lookup(ctx)
	}
	if errors.Is(err, unix.ENOENT) {
		err = ErrNoIPVS
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// loadModule asks for the module. Whether that helped, the next lookup says.
func loadModule(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_ = exec.CommandContext(ctx, "modprobe", "-q", "ip_vs").Run()
}

// inside calls f on a thread that is in a network namespace.
func inside(ns netns.NsHandle, f func() error) error {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if home.Equal(ns) {
		defer runtime.UnlockOSThread()
		return f()
	}
	if err := netns.Set(ns); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err = f()
	if back := netns.Set(home); back != nil {
		return errors.Join(err, back) // the thread stays locked, so that nobody else gets it
	}
	runtime.UnlockOSThread()
	return err
}

func socket() (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return -1, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	// each of these is a comfort: larger queues, shorter and better errors
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferSize)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, bufferSize)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1)
	if err := setTimeouts(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func setTimeouts(fd int) error {
	tv := unix.NsecToTimeval(int64(poll))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return err
	}
	tv = unix.NsecToTimeval(int64(5 * time.Second))
	return unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
}

func (c *conn) close() { unix.Close(c.fd) }

// lookup returns the number that the family IPVS has now: it changes when the module is reloaded.
func (c *conn) lookup(ctx context.Context) (uint16, error) {
	c.family = unix.GENL_ID_CTRL
	body := appendString(nil, unix.CTRL_ATTR_FAMILY_NAME, "IPVS")
	var family uint16
	err := c.ask(ctx, request{cmd: unix.CTRL_CMD_GETFAMILY, body: body}, func(b []byte) error {
		a, err := parseAttrs(b)
		family = a.uint16(unix.CTRL_ATTR_FAMILY_ID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look up the netlink family IPVS: %w", err)
	}
	return family, nil
}

// appendRequest appends a request in wire form.
func (c *conn) appendRequest(b []byte, r request, flags uint16) []byte {
	c.seq++
	if r.dump {
		flags |= unix.NLM_F_DUMP
	}
	b = native.AppendUint32(b, uint32(headerLen+len(r.body)))
	b = native.AppendUint16(b, c.family)
	b = native.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = native.AppendUint32(b, c.seq)
	b = native.AppendUint32(b, 0)
	b = append(b, r.cmd, 1, 0, 0)
	return append(b, r.body...)
}

// ask sends one request and calls each with the attributes of every answer.
func (c *conn) ask(ctx context.Context, r request, each func([]byte) error) error {
	if err := c.send(c.appendRequest(nil, r, unix.NLM_F_ACK)); err != nil {
		return err
	}
	var bad error
	err := c.receive(ctx, func(m message) (bool, error) {
		switch {
		case m.seq != c.seq:
			return false, nil
		case m.kind == unix.NLMSG_DONE || m.kind == unix.NLMSG_ERROR:
			return true, m.err
		case bad == nil && len(m.data) >= 4:
			bad = each(m.data[4:])
		}
		return false, nil
	})
	return errors.Join(err, bad)
}

// batch sends many requests in few system calls and returns the error, or nil, of each. Only the
// last request of a send is acknowledged; the kernel reports those before it that it refuses.
func (c *conn) batch(ctx context.Context, requests []request) []error {
	errs := make([]error, len(requests))
	for start := 0; start < len(requests); {
		end, size := start, 0
		for end < len(requests) && (end == start || size+headerLen+len(requests[end].body) <= maxBatch) {
			size += headerLen + len(requests[end].body)
			end++
		}
		if err := c.batchOne(ctx, requests[start:end], errs[start:end]); err != nil {
			for i := start; i < len(errs); i++ {
				errs[i] = err // what of this send was done is not known
			}
			return errs
		}
		start = end
	}
	return errs
}

func (c *conn) batchOne(ctx context.Context, requests []request, errs []error) error {
	first := c.seq + 1
	var b []byte
	for i, r := range requests {
		var flags uint16
		if i == len(requests)-1 {
			flags = unix.NLM_F_ACK
		}
		b = c.appendRequest(b, r, flags)
	}
	if err := c.send(b); err != nil {
		return err
	}
	return c.receive(ctx, func(m message) (bool, error) {
		if i := m.seq - first; m.kind == unix.NLMSG_ERROR && i < uint32(len(errs)) {
			errs[i] = m.err
		}
		return m.seq == c.seq, nil
	})
}

func (c *conn) send(b []byte) error {
	for {
		err := unix.Sendto(c.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			return brokenIf(err, "send")
		}
	}
}

// receive calls each with every message until it says that it has all, fails, or ctx ends.
func (c *conn) receive(ctx context.Context, each func(message) (bool, error)) error {
	for {
		if ctx.Err() != nil {
			return &brokenError{errors.Join(errNoAnswer, context.Cause(ctx))}
		}
		n, flags, from, err := recv(c.fd, c.buf)
		if err == unix.EAGAIN || err == unix.EINTR {
			continue
		}
		if err != nil {
			return brokenIf(err, "receive")
		}
		if flags&unix.MSG_TRUNC != 0 {
			return &brokenError{errors.New("receive: message is too long")}
		}
		if from != 0 {
			continue // not the kernel
		}
		for b := c.buf[:n]; len(b) >= 16; {
			m, rest, err := parseMessage(b)
			if err != nil {
				return &brokenError{err}
			}
			if done, err := each(m); done || err != nil {
				return err
			}
			b = rest
		}
	}
}

func recv(fd int, buf []byte) (n, flags int, from uint32, err error) {
	n, _, flags, sa, err := unix.Recvmsg(fd, buf, nil, 0)
	if nl, ok := sa.(*unix.SockaddrNetlink); ok {
		from = nl.Pid
	}
	return n, flags, from, err
}

// brokenError is an error of the conversation itself, after which it cannot go on.
type brokenError struct{ error }

func (e *brokenError) Unwrap() error { return e.error }

// Refused reports whether an error is the kernel's answer to single changes: it was reached, and the rest of
// the table is as it should be.
func Refused(err error) bool {
	var broken *brokenError
	return err != nil && !errors.As(err, &broken)
}

func brokenIf(err error, doing string) error {
	if err == nil {
		return nil
	}
	return &brokenError{fmt.Errorf("netlink %s: %w", doing, err)}
}

// message is one message from the kernel.
type message struct {
	kind uint16
	seq  uint32
	data []byte
	err  error // of an error message; nil if it acknowledges
}

// parseMessage splits the first message off a buffer.
func parseMessage(b []byte) (message, []byte, error) {
	size := native.Uint32(b)
	if size < 16 || size > uint32(min(len(b), math.MaxInt32)) {
		return message{}, nil, errors.New("netlink message is cut short")
	}
	m := message{kind: native.Uint16(b[4:]), seq: native.Uint32(b[8:]), data: b[16:size]}
	if (m.kind == unix.NLMSG_ERROR || m.kind == unix.NLMSG_DONE) && len(m.data) >= 4 {
		if errno := -int32(native.Uint32(m.data)); errno > 0 {
			m.err = extend(syscall.Errno(errno), m.data, native.Uint16(b[6:]))
		}
	}
	return m, b[min(len(b), (int(size)+3)&^3):], nil
}

// extend adds the kernel's own words to an error number, where it gave some.
func extend(errno syscall.Errno, data []byte, flags uint16) error {
	if flags&unix.NLM_F_ACK_TLVS == 0 || flags&unix.NLM_F_CAPPED == 0 || len(data) < 20 {
		return errno
	}
	a, err := parseAttrs(data[20:])
	if words := a.string(1); err == nil && words != "" {
		return fmt.Errorf("%w (%s)", errno, words)
	}
	return errno
}
