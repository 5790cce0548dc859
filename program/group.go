package program

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// group is the process group of one run.
type group struct {
	started chan error
	done    chan struct{}

	mu     sync.Mutex // guards what follows
	pid    int        // of the leader, and so of the group; 0 when it must not be signalled
	status *os.ProcessState
}

// run starts the program on a thread of its own and waits for its end. The thread gives up gaining
// privileges, which cannot be undone, so it ends with the goroutine and is never used again.
func (g *group) run(c *Command, stdout, stderr *os.File) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() { // the main thread speaks for the process, and is never ended
		go g.run(c, stdout, stderr) // on another thread, while this one is held
		<-g.done
		runtime.UnlockOSThread()
		return
	}
	defer close(g.done)
	cmd := &exec.Cmd{
		Path: c.Argv[0], Args: c.Argv, Env: c.Env, Dir: "/",
		Stdout: stdout, Stderr: stderr, // nil Stdin is /dev/null
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Credential: c.User.credential(), Pdeathsig: syscall.SIGKILL},
	}
	err := c.start(cmd)
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

// outcome says how the ended program ended.
func (g *group) outcome() Outcome {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.status == nil {
		return Outcome{Exit: -1}
	}
	o := Outcome{Exit: g.status.ExitCode()}
	if ws, ok := g.status.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		o.Signal = ws.Signal()
	}
	return o
}

// starting is held while the agent's limit of processes is lowered for a program to inherit.
var starting sync.Mutex

// start starts the program with a bound on its processes and less of the processors. Both are set on
// this side of the fork, so that not even the first child escapes them. The limit of processes does
// not hold for root, so an agent that is root lends it to the program; any other keeps its own, which
// counts its own threads.
func (c *Command) start(cmd *exec.Cmd) error {
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
	lent := unix.Rlimit{Cur: min(c.Processes, own.Cur), Max: own.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &lent); err != nil {
		return err
	}
	defer unix.Setrlimit(unix.RLIMIT_NPROC, &own)
	return cmd.Start()
}

// confine bounds what else a program can take from the host, an instant after its start: best effort.
func confine(pid int) {
	set := func(resource int, limit uint64) {
		unix.Prlimit(pid, resource, &unix.Rlimit{Cur: limit, Max: limit}, nil)
	}
	set(unix.RLIMIT_CORE, 0)
	set(unix.RLIMIT_DATA, maxMemory)
	os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("1000"), 0) // the first to go when memory is short
}
