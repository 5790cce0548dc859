package address

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendChunk is how many frames one system call sends at most.
const sendChunk = 64

// multiMessage is the kernel's struct mmsghdr.
type multiMessage struct {
	header unix.Msghdr
	length uint32
	_      [unsafe.Sizeof(uintptr(0)) - 4]byte
}

// sendFrames sends frames from one interface, many in one system call, and returns the error of each.
func (s *socket) sendFrames(frames [][]byte, index int) []error {
	errs := make([]error, len(frames))
	for done := 0; done < len(frames); {
		n, err := s.sendSome(frames[done:min(done+sendChunk, len(frames))], index)
		done += n
		if err != nil && n == 0 { // it is of the first
			errs[done] = err
			done++
		}
	}
	return errs
}

// sendSome sends the first of frames, and returns how many. The error is of the first, and only then.
func (s *socket) sendSome(frames [][]byte, index int) (int, error) {
	messages := make([]multiMessage, len(frames))
	vectors := make([]unix.Iovec, len(frames))
	addresses := make([]unix.RawSockaddrLinklayer, len(frames))
	for i, f := range frames {
		addresses[i] = unix.RawSockaddrLinklayer{
			Family: unix.AF_PACKET, Protocol: networkOrder(f[12], f[13]), Ifindex: int32(index), Halen: 6,
		}
		copy(addresses[i].Addr[:], f[:6])
		vectors[i].Base = unsafe.SliceData(f)
		vectors[i].SetLen(len(f))
		messages[i].header.Name = (*byte)(unsafe.Pointer(&addresses[i]))
		messages[i].header.Namelen = uint32(unsafe.Sizeof(addresses[i]))
		messages[i].header.Iov = &vectors[i]
		messages[i].header.SetIovlen(1)
	}
	var sent uintptr
	var errno unix.Errno
	outer := s.raw.Write(func(fd uintptr) bool {
		errno = unix.EINTR
		for errno == unix.EINTR {
			sent, _, errno = unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(unsafe.SliceData(messages))), uintptr(len(messages)), 0, 0, 0)
		}
		return errno != unix.EAGAIN
	})
	switch {
	case outer != nil:
		return 0, outer
	case errno != 0:
		return 0, errno
	case sent == 0:
		return 0, fmt.Errorf("nothing was sent")
	}
	return int(sent), nil
}
