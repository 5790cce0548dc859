package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The walk over crash points runs the real thing in a process of its own, with the kernel asking this one before each
// system call that changes a file (seccomp's user notification). So every step is known, whichever library makes it, and
// the process can be killed before the Nth. This process also keeps what a disk would hold at least: see medium.

// envWalk has the test binary be a process that is walked over.
const envWalk = "QUORATE_TEST_WALK"

// walkSocket is where such a process acknowledges what it has done. It is no file, so that nothing there is a step.
const walkSocket = 3

// steps are the system calls that change files, by what the first argument is.
var (
	byFile = map[int32]string{unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "write", unix.SYS_FTRUNCATE: "truncate", unix.SYS_FSYNC: "sync", unix.SYS_FDATASYNC: "sync"}
	byName = map[int32]string{unix.SYS_OPENAT: "create", unix.SYS_MKDIRAT: "make", unix.SYS_UNLINKAT: "remove", unix.SYS_RENAMEAT: "rename", unix.SYS_RENAMEAT2: "rename"}
)

// beSupervised has the kernel ask at walkSocket's other end before each step from now on.
func beSupervised() {
	var code []unix.SockFilter
	code = append(code, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}) // the number of the call
	for _, calls := range []map[int32]string{byFile, byName} {
		for nr := range calls {
			code = append(code, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(nr), Jf: 1},
				unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
		}
	}
	code = append(code, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		panic(errno)
	}
	if err := unix.Sendmsg(walkSocket, []byte("supervise"), unix.UnixRights(int(fd)), nil, 0); err != nil {
		panic(err)
	}
}

// acknowledge tells the supervisor, for good, that something is done.
func acknowledge(what string) {
	if err := unix.Sendmsg(walkSocket, []byte(what), nil, nil, 0); err != nil {
		panic(err)
	}
}

// supervisor decides about each step of a process.
type supervisor struct {
	dir  string              // steps are those beneath it
	kill int                 // the process is killed before this step; 0: never
	lie  func(fileStep) bool // a sync that is answered and not done: a control
	disk *medium

	pid   int
	seen  int
	last  fileStep
	acked []string
}

// fileStep is one change of a file.
type fileStep struct {
	verb string
	path string // beneath the directory
}

func (s fileStep) String() string { return s.verb + " " + s.path }

type seccompCall struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type seccompAnswer struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// run runs the test binary on cords until it ends or is killed. finished: it came to its end by itself.
func (s *supervisor) run(cords walkCords) (finished bool, err error) {
	text := must(json.Marshal(cords))
	pair := must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0))
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	var stderr bytes.Buffer
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envWalk+"="+string(text))
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the death signal is tied to the thread that forks
	defer runtime.UnlockOSThread()
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return false, err
	}
	s.pid = cmd.Process.Pid
	var wg sync.WaitGroup
	wg.Go(func() { s.listen(&wg, pair[0]) })
	err = cmd.Wait()
	wg.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && s.kill > 0 && s.seen >= s.kill:
		return false, nil
	}
	return false, fmt.Errorf("step %d, %v: %w\n%s", s.seen, s.last, err, stderr.Bytes())
}

// listen takes what the process says until it has ended.
func (s *supervisor) listen(wg *sync.WaitGroup, socket int) {
	text, rights := make([]byte, 256), make([]byte, 64)
	for {
		n, m, _, _, err := unix.Recvmsg(socket, text, rights, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		if m == 0 {
			s.acked = append(s.acked, string(text[:n]))
			continue
		}
		parts, err := unix.ParseSocketControlMessage(rights[:m])
		if err != nil {
			panic(err)
		}
		fds, err := unix.ParseUnixRights(&parts[0])
		if err != nil {
			panic(err)
		}
		wg.Go(func() { s.answer(fds[0]) })
	}
}

// answer answers the kernel's questions until nobody is left to ask about.
func (s *supervisor) answer(fd int) {
	defer unix.Close(fd)
	for {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) {
			panic(err)
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			if ready[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0 {
				return
			}
			continue
		}
		var call seccompCall
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&call))); errno != 0 {
			continue // who asked is gone, or was interrupted and asks again
		}
		reply := seccompAnswer{id: call.id}
		if s.allow(&call) {
			reply.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&reply))) // the same
	}
}

// allow counts a step, and reports whether it is to be made; if not, it succeeds without an effect.
func (s *supervisor) allow(call *seccompCall) bool {
	path, file, ok := s.subject(call)
	if !ok {
		return true
	}
	verb := byFile[call.nr] + byName[call.nr]
	rel, err := filepath.Rel(s.dir, path)
	if err != nil {
		panic(err)
	}
	if s.kill > 0 && s.seen >= s.kill {
		return false // it is dying
	}
	s.seen++
	s.last = fileStep{verb, steady(rel)}
	if s.seen == s.kill {
		_ = unix.Kill(s.pid, unix.SIGKILL)
		return false
	}
	if verb == "sync" {
		if s.lie != nil && s.lie(s.last) {
			return false
		}
		if s.disk != nil {
			s.disk.sync(file)
		}
	}
	return true
}

// subject is what a call is about, if that is beneath the directory and would be changed. file leads to it even if it
// has no name any more.
func (s *supervisor) subject(call *seccompCall) (path, file string, ok bool) {
	file = fmt.Sprintf("/proc/%d/fd/%d", call.pid, int32(call.args[0]))
	if _, there := byFile[call.nr]; there {
		path, _ = os.Readlink(file)
		return path, file, strings.HasPrefix(path, s.dir+"/") || path == s.dir
	}
	if call.nr == unix.SYS_OPENAT && call.args[2]&unix.O_CREAT == 0 {
		return "", "", false
	}
	path = word(call.pid, call.args[1])
	if !filepath.IsAbs(path) {
		base, _ := os.Readlink(file)
		path = filepath.Join(base, path)
	}
	if call.nr == unix.SYS_OPENAT {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return "", "", false
		}
	}
	return path, "", strings.HasPrefix(path, s.dir+"/")
}

// word reads a text in the memory of a process.
func word(pid uint32, at uint64) string {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer mem.Close()
	b := make([]byte, 4096)
	n, _ := mem.ReadAt(b[:4096-at%4096], int64(at)) // as far as its page goes
	if end := bytes.IndexByte(b[:n], 0); end >= 0 {
		return string(b[:end])
	}
	more, _ := mem.ReadAt(b[n:], int64(at)+int64(n))
	end := bytes.IndexByte(b[:n+more], 0)
	return string(b[:max(end, 0)])
}

// steady is a path without what is another in each run.
func steady(path string) string {
	parts := strings.Split(path, "/")
	for i := 1; i < len(parts); i++ {
		if parts[i-1] == "snapshots" {
			tail := ""
			if strings.HasSuffix(parts[i], ".tmp") {
				tail = ".tmp"
			}
			parts[i] = "S" + tail
		}
	}
	return strings.Join(parts, "/")
}
