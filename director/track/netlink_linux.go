package track

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const bufferSize = 1 << 20 // of a socket's queue

var (
	native  = binary.NativeEndian
	errLost = errors.New("the kernel lost events")
)

// listener is a netlink socket on which the kernel tells of events. It stays in the network namespace
// in which it was opened, and is never opened again: that could happen in another one.
type listener struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte
}

func listen(protocol int, groups uint32) (*listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bufferSize) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, bufferSize) // a comfort
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind a netlink socket: %w", err)
	}
	l := &listener{file: os.NewFile(uintptr(fd), "netlink"), buf: make([]byte, 1<<16)}
	l.raw, err = l.file.SyscallConn()
	if err != nil {
		l.file.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	return l, nil
}

// send sends one message to the kernel.
func (l *listener) send(b []byte) error {
	var err error
	outer := l.raw.Control(func(fd uintptr) {
		err = unix.Sendto(int(fd), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	})
	return errors.Join(outer, err)
}

// receive returns what the kernel says next, to be used before the next call: nothing when another
// than the kernel spoke. It returns errLost when events were lost, and os.ErrDeadlineExceeded at the
// time in until, which may be zero, or when ctx ends.
func (l *listener) receive(ctx context.Context, until time.Time) ([]byte, error) {
	if err := l.file.SetReadDeadline(until); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = l.file.SetReadDeadline(time.Unix(1, 0))
		close(ended)
	})
	defer func() {
		if !stop() {
			<-ended
		}
	}()
	var n int
	var from unix.Sockaddr
	var err error
	outer := l.raw.Read(func(fd uintptr) bool {
		err = unix.EINTR
		for err == unix.EINTR {
			n, from, err = unix.Recvfrom(int(fd), l.buf, 0)
		}
		return err != unix.EAGAIN
	})
	switch {
	case outer != nil:
		return nil, outer
	case err == unix.ENOBUFS:
		return nil, errLost
	case err != nil:
		return nil, err
	}
	if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
		return nil, nil
	}
	return l.buf[:n], nil
}

func (l *listener) close() { l.file.Close() }
