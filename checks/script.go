package checks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/fsm"
)

const (
	maxOutput  = 4 << 10                // bytes kept of each of a script's outputs; the rest is drained
	killGrace  = 100 * time.Millisecond // for the kernel to end a killed script
	drainGrace = 50 * time.Millisecond  // for output that somebody outside the group still holds open

	maxProcesses = 256     // of scriptOwner; beyond it fork fails
	maxOthers    = 2048    // the same of any other user, who may have more to do
	maxMemory    = 1 << 30 // bytes of writable memory per process of a script
	niceness     = 5       // so that scripts do not starve the agent

	scriptOwner    = "quorate-check" // runs scripts whose check names nobody
	scriptFallback = "nobody"        // does where there is no such user
)

// script runs a program, without a shell, as an unprivileged user that can gain no privileges, in a
// process group of its own that is killed whole when the program has ended or its time is up.
//
// Processes that leave the group (setsid) are not found; they hold nothing of ours, and cannot keep
// an attempt from ending.
type script struct {
	argv []string
	env  []string
	cred *syscall.Credential // nil: as the agent
	id   identity
	busy atomic.Bool // an earlier run could not be killed
}

func newScript(c fsm.Check, target netip.AddrPort, opts Options) (attempt, error) {
	if len(c.Command) == 0 {
		return nil, errors.New("command: empty")
	}
	s := &script{
		argv: c.Command,
		env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"QUORATE_SERVICE=" + opts.Service,
			"QUORATE_SERVER_ADDRESS=" + target.Addr().String(),
			"QUORATE_SERVER_PORT=" + strconv.Itoa(int(target.Port())),
		},
	}
	id, err := scriptUser(c.User)
	if err != nil {
		return nil, err
	}
	s.id = id
	if os.Geteuid() == 0 {
		s.cred = &syscall.Credential{Uid: id.uid, Gid: id.gid}
	}
	return s.run, nil
}

// scriptUser returns whom scripts run as. An agent that is not root can only run them as itself.
func scriptUser(name string) (identity, error) {
	if os.Geteuid() != 0 {
		self := identity{name: "the agent's user", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
		if name == "" {
			return self, nil
		}
		if u, err := user.Lookup(name); err != nil || u.Uid != strconv.Itoa(os.Geteuid()) {
			return identity{}, fmt.Errorf("user %q: the agent is not root and can run scripts only as itself", name)
		}
		return self, nil
	}
	names := []string{scriptOwner, scriptFallback}
	if name != "" {
		names = []string{name}
	}
	for _, n := range names {
		u, err := user.Lookup(n)
		if err != nil {
			continue
		}
		uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uerr, gerr); err != nil {
			return identity{}, fmt.Errorf("user %q: %w", n, err)
		}
		return identity{name: n, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return identity{}, fmt.Errorf("user %s: no such user on this host", strings.Join(names, ", "))
}

// run is one attempt.
func (s *script) run(ctx context.Context) error {
	if err := checkScript(s.argv[0], &s.id); err != nil {
		return failure(printable(err.Error(), maxCause))
	}
	if !s.busy.CompareAndSwap(false, true) {
		return failure("an earlier run cannot be killed")
	}
	out, errOut, err := newOutputs()
	if err != nil {
		s.busy.Store(false)
		return err
	}
	g := &group{done: make(chan struct{}), started: make(chan error, 1)}
	go g.run(s, out.w, errOut.w) // waited for below, unless the kernel cannot kill the process
	if err := <-g.started; err != nil {
		out.close()
		errOut.close()
		if isLocal(err) {
			return err
		}
		return failure(printable(fmt.Sprintf("script %s: %v", s.argv[0], err), maxCause))
	}
	defer out.close()
	defer errOut.close()
	select {
	case <-g.done:
		return g.verdict(errOut.firstLine(), out.firstLine())
	case <-ctx.Done():
		g.kill()
	}
	select {
	case <-g.done:
	case <-time.After(killGrace):
	}
	return await("exit", ctx.Err())
}

// group is the process group of one run.
type group struct {
	started chan error
	done    chan struct{}

	mu     sync.Mutex // guards what follows
	pid    int        // of the leader, and so of the group; 0 when it must not be signalled
	status *os.ProcessState
}

// run starts the script on a thread of its own and waits for its end. The thread gives up gaining
// privileges, which cannot be undone, so it ends with the goroutine and is never used again.
func (g *group) run(s *script, stdout, stderr *os.File) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() { // the main thread speaks for the process, and is never ended
		go g.run(s, stdout, stderr) // on another thread, while this one is held
		<-g.done
		runtime.UnlockOSThread()
		return
	}
	defer close(g.done)
	defer s.busy.Store(false)
	cmd := &exec.Cmd{
		Path: s.argv[0], Args: s.argv, Env: s.env, Dir: "/",
		Stdout: stdout, Stderr: stderr, // nil Stdin is /dev/null
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Credential: s.cred, Pdeathsig: syscall.SIGKILL},
	}
	err := s.start(cmd)
	stdout.Close()
	stderr.Close()
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		g.started <- err
		return
	}
	g.mu.Lock()
	g.pid = cmd.Process.Pid
	g.mu.Unlock()
	confine(cmd.Process.Pid)
	g.started <- nil

	// While the leader is not reaped its number is not given to another group, so this kill and
	// the one at the deadline hit what they are meant for.
	for unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	g.kill()
	g.mu.Lock()
	g.pid = 0
	g.mu.Unlock()
	cmd.Wait() // its error is the status
	g.mu.Lock()
	g.status = cmd.ProcessState
	g.mu.Unlock()
}

// kill ends every process of the group.
func (g *group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pid != 0 {
		unix.Kill(-g.pid, unix.SIGKILL) // ESRCH: all gone already
	}
}

// verdict says what the ended script meant.
func (g *group) verdict(stderr, stdout string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.status == nil {
		return failure("the script's exit status was lost")
	}
	words := "exit status " + strconv.Itoa(g.status.ExitCode())
	if ws, ok := g.status.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		words = "killed by signal " + strconv.Itoa(int(ws.Signal())) + " (" + ws.Signal().String() + ")"
	} else if g.status.ExitCode() == 0 {
		return nil
	}
	if stderr == "" {
		stderr = stdout
	}
	if stderr != "" {
		words += ": " + stderr
	}
	return failure(words)
}

// starting is held while the agent's limit of processes is lowered for a script to inherit.
var starting sync.Mutex

// start starts the script with a bound on its processes and less of the processors. Both are set on
// this side of the fork, so that not even the first child escapes them. The limit of processes does
// not hold for root, so an agent that is root lends it to the script; any other keeps its own, which
// counts its own threads.
func (s *script) start(cmd *exec.Cmd) error {
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) // of this thread, and what it forks
	if err != nil {
		return err
	}
	unix.Setpriority(unix.PRIO_PROCESS, 0, niceness) // the same; best effort
	if os.Geteuid() != 0 {
		return cmd.Start()
	}
	starting.Lock()
	defer starting.Unlock()
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &own); err != nil {
		return err
	}
	limit := uint64(maxOthers)
	if s.id.name == scriptOwner {
		limit = maxProcesses
	}
	lent := unix.Rlimit{Cur: min(limit, own.Cur), Max: own.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &lent); err != nil {
		return err
	}
	defer unix.Setrlimit(unix.RLIMIT_NPROC, &own)
	return cmd.Start()
}

// confine bounds what else a script can take from the host, an instant after its start: best effort.
func confine(pid int) {
	set := func(resource int, limit uint64) {
		unix.Prlimit(pid, resource, &unix.Rlimit{Cur: limit, Max: limit}, nil)
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_DATA, maxMemory)
	os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("1000"), 0) // the first to go when memory is short
}

// output takes what a script writes: the first maxOutput bytes are kept, the rest is drained so that
// the script never blocks on it.
type output struct {
	r, w *os.File
	done chan struct{}
	kept []byte // the reader's, until done
}

func newOutputs() (out, errOut *output, err error) {
	if out, err = newOutput(); err != nil {
		return nil, nil, err
	}
	if errOut, err = newOutput(); err != nil {
		out.w.Close()
		out.close()
		return nil, nil, err
	}
	return out, errOut, nil
}

func newOutput() (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &output{r: r, w: w, done: make(chan struct{})}
	go o.drain()
	return o, nil
}

func (o *output) drain() {
	defer close(o.done)
	buf := make([]byte, 4<<10)
	for {
		n, err := o.r.Read(buf)
		o.kept = append(o.kept, buf[:min(n, maxOutput-len(o.kept))]...)
		if err != nil {
			return
		}
	}
}

// close ends the draining, and waits for it.
func (o *output) close() {
	o.r.Close()
	<-o.done
}

// firstLine returns the first line of what was kept that is not blank.
func (o *output) firstLine() string {
	o.r.SetReadDeadline(time.Now().Add(drainGrace))
	<-o.done
	for line := range strings.Lines(string(o.kept)) {
		if line = printable(line, maxLine); line != "" {
			return line
		}
	}
	return ""
}
