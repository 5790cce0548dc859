package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// queue is what the kernel keeps for us, in bytes: a few hundred answers.
const queue = 128 << 10

// socket hears one kind of frame on an interface. The kernel keeps what comes, with the time at which it came,
// until it is read: the runtime does not know of this socket, so that a frame wakes nobody who does not wait.
type socket struct {
	fd  int
	buf [128]byte
	oob [64]byte
}

// openSocket hears frames of a kind that a filter lets pass, and none that came before there was the filter.
func openSocket(ifi *net.Interface, kind uint16, filter []bpf.RawInstruction) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a packet socket: %w", err)
	}
	s := &socket{fd: fd}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, queue) // a comfort: the system's own is large enough too
	err = errors.Join(s.filter(filter), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(kind), Ifindex: ifi.Index})
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("prepare a packet socket: %w", err)
	}
	return s, nil
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// filter has another filter from now on.
func (s *socket) filter(filter []bpf.RawInstruction) error {
	program := make([]unix.SockFilter, len(filter))
	for i, in := range filter {
		program[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}); err != nil {
		return fmt.Errorf("filter: %w", err)
	}
	return nil
}

// send sends a frame.
func (s *socket) send(frame []byte) error {
	_, err := unix.Write(s.fd, frame)
	return err
}

// receive returns the next frame and the time by the clock on the wall at which it came, or no frame if there is none.
// The frame is good until the next call.
func (s *socket) receive() (frame []byte, at time.Time, err error) {
	n, oobn, _, _, err := unix.Recvmsg(s.fd, s.buf[:], s.oob[:], 0)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil, at, nil
	case err != nil:
		return nil, at, err
	}
	return s.buf[:n], stamp(s.oob[:oobn]), nil
}

// stamp reads when a frame came; the zero time if the kernel does not say.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Time{}
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(unix.Timespec{})) {
			ts := (*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
			return time.Unix(int64(ts.Sec), int64(ts.Nsec))
		}
	}
	return time.Time{}
}

// await waits until there is a frame or a time is over, and reports whether there is one. Times are whole milliseconds.
func (s *socket) await(d time.Duration) bool {
	p := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, int((d+time.Millisecond-1)/time.Millisecond))
	return n > 0 && err == nil
}

func (s *socket) close() { _ = unix.Close(s.fd) } // nothing was promised by it
