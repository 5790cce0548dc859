package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A SlowDisk is a disk that takes its time, or answers nobody, as long as a test wants. What is held back is what
// the director's processes write through to it, their fsync and fdatasync, in the kernel: they do not know of it.
type SlowDisk struct {
	mu    sync.Mutex // guards what follows
	each  time.Duration
	hangs chan struct{} // closed when it does no more; nil: it does not hang
	after int           // so many are let pass before it hangs
	held  int
}

// Takes makes the disk take that long for each write, until it is undone.
func (d *SlowDisk) Takes(each time.Duration) (undo func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.each = each
	return once(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.each = 0
	})
}

// Hangs makes the disk answer nothing until it is undone.
func (d *SlowDisk) Hangs() (undo func()) { return d.HangsAfter(0) }

// HangsAfter is [SlowDisk.Hangs], from the write on that comes after so many others.
func (d *SlowDisk) HangsAfter(writes int) (undo func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	hangs := make(chan struct{})
	d.hangs, d.after = hangs, writes
	return once(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.hangs = nil
		close(hangs)
	})
}

// Held is how many writes were held back so far.
func (d *SlowDisk) Held() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.held
}

// wait returns when a write may go on that has come now, or when its process is gone.
func (d *SlowDisk) wait(gone <-chan struct{}) {
	d.mu.Lock()
	each, hangs := d.each, d.hangs
	if hangs != nil && d.after > 0 {
		d.after--
		hangs = nil
	}
	if each > 0 || hangs != nil {
		d.held++
	}
	d.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-gone:
		}
	}
	select {
	case <-time.After(each):
	case <-gone:
	}
}

// roleHeld is a child that becomes the program of its order, whose writes the lab is asked about.
const roleHeld = "held"

type heldOrder struct{ Argv []string }

// start starts a program on a host whose disk this is.
func (d *SlowDisk) start(h *Host, name string, argv []string) (*Process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	p, err := h.startChild(name, roleHeld, heldOrder{argv}, func(cmd *exec.Cmd) error {
		cmd.ExtraFiles = []*os.File{theirs}
		return nil
	})
	theirs.Close()
	if err != nil {
		return nil, err
	}
	asks, err := receiveFile(pair[0])
	if err != nil {
		return nil, fmt.Errorf("%s: %w: see %s", name, err, h.LogFile(name))
	}
	go d.serve(asks)
	return p, nil
}

// runHeld installs the filter, hands its other end to the lab, and becomes the program. What that starts has the filter
// too.
func runHeld(o heldOrder) error {
	program, err := exec.LookPath(o.Argv[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // a filter is a thread's; the thread that becomes another program takes its own along
	const theirs = 3
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the system call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FSYNC, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_FDATASYNC, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// Where the lab has heard of a write, only death ends the wait: a signal of Go's scheduler would begin it anew.
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("hold writes back: %w", errno)
	}
	if err := unix.Sendmsg(theirs, []byte{0}, unix.UnixRights(int(fd)), nil, 0); err != nil {
		return fmt.Errorf("hold writes back: %w", err)
	}
	unix.Close(int(fd))
	unix.Close(theirs)
	os.Unsetenv(envChild)
	return syscall.Exec(program, o.Argv, os.Environ())
}

// receiveFile takes the file that is sent on a socket.
func receiveFile(socket int) (int, error) {
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		return -1, err
	}
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("no filter is handed over: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return -1, err
	}
	if len(messages) != 1 {
		return -1, errors.New("no filter is handed over")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// serve answers what the kernel asks, until the last process with the filter is gone.
func (d *SlowDisk) serve(asks int) {
	gone := make(chan struct{})
	var answers sync.WaitGroup
	for {
		poll := []unix.PollFd{{Fd: int32(asks), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err == unix.EINTR {
			continue
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			break
		}
		var ask [80]byte // struct seccomp_notif, which begins with its number
		if ioctl(asks, unix.SECCOMP_IOCTL_NOTIF_RECV, ask[:]) != nil {
			continue // who asked is gone
		}
		answers.Go(func() {
			d.wait(gone)
			var answer [24]byte // struct seccomp_notif_resp: number, value, error, flags
			copy(answer[:8], ask[:8])
			binary.NativeEndian.PutUint32(answer[20:], unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
			_ = ioctl(asks, unix.SECCOMP_IOCTL_NOTIF_SEND, answer[:]) // who asked may be gone
		})
	}
	close(gone)
	answers.Wait()
	unix.Close(asks)
}

func ioctl(fd int, request uintptr, arg []byte) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&arg[0]))); errno != 0 {
		return errno
	}
	return nil
}
