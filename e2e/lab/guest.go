package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoGuest means that this machine cannot run a lab at all: the reason is wrapped around it.
var ErrNoGuest = errors.New("no kernel with IPVS to be had")

// A Guest is a program to be run in a lab, and what it is given. Environment and working directory are
// the caller's.
type Guest struct {
	Program     string            // an absolute path; "/proc/self/exe" is the caller's own binary
	Args        []string          // without the program's name
	Env         []string          // added to the caller's environment
	Memory      string            // of the guest, as "1536M", which is the default; only pages in use count
	Share       map[string]string // host directory to guest directory, read-write; the rest is read-only
	Disk        string            // a file with an ext4 file system, mounted at [Disk]; only where a guest is booted
	Interactive bool              // give it the terminal
	NeedsBinary bool              // build quorate, unless the environment names a binary
	Timeout     time.Duration     // it is killed after this; 0 is what -test.timeout in Args asks for, or an hour, or none if interactive
	Stdout      io.Writer         // nil is os.Stdout
	Stderr      io.Writer         // nil is os.Stderr
}

// spec is what the caller's process tells the lab's init.
type spec struct {
	Program     string
	Args        []string
	Env         []string
	Dir         string
	Share       map[string]string
	Status      string // file that takes the exit status
	Interactive bool
	Rows, Cols  uint16
	Guest       bool
	Disk        bool
}

// Disk is where a guest's own disk is mounted, if it has one.
const Disk = "/run/disk"

const defaultMemory = "1536M"

// Boot runs a program where IPVS is and returns its exit status: in namespaces of its own if this
// machine's kernel has IPVS and the caller is root, else in a guest. The calling program must have
// called [Child] first in main. The error says why no status is known.
func Boot(ctx context.Context, g Guest) (int, error) {
	if os.Geteuid() == 0 && os.Getenv(EnvForceGuest) != "1" && hasIPVS() {
		if status, err := bootNamespaces(ctx, g); !errors.Is(err, errNoNamespaces) {
			return status, err
		}
	}
	return bootUML(ctx, g)
}

// BootGuest is [Boot] in a guest, whatever this machine's kernel has: it can be killed as a whole, by the end of ctx.
func BootGuest(ctx context.Context, g Guest) (int, error) { return bootUML(ctx, g) }

// BootHost is [Boot] without IPVS: the program runs in namespaces on the machine's own kernel, as root
// or as an ordinary user; only where it may make no namespaces is a guest booted.
func BootHost(ctx context.Context, g Guest) (int, error) {
	status, err := bootNamespaces(ctx, g)
	if errors.Is(err, errNoNamespaces) {
		return bootUML(ctx, g)
	}
	return status, err
}

// hasIPVS tells whether this machine's kernel has IPVS, as a module perhaps.
func hasIPVS() bool {
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		return true
	}
	if exec.Command("modprobe", "-q", "ip_vs").Run() != nil {
		return false
	}
	_, err := os.Stat("/proc/net/ip_vs")
	return err == nil
}

// newSpec resolves what is the caller's in g, and writes it to dir for init.
func (g Guest) newSpec(dir string, guest bool) (spec, error) {
	s := spec{
		Program: g.Program, Args: g.Args, Interactive: g.Interactive, Guest: guest, Disk: g.Disk != "",
		Status: filepath.Join(dir, "status"), Share: map[string]string{},
	}
	var err error
	if s.Dir, err = os.Getwd(); err != nil {
		return s, err
	}
	maps.Copy(s.Share, g.Share)
	for _, d := range outputDirs(g.Args) {
		s.Share[d] = d
	}
	artifacts, err := artifactsDir()
	if err != nil {
		return s, fmt.Errorf("make the directory for evidence: %w", err)
	}
	s.Share[artifacts] = artifacts
	s.Share[dir] = dir
	place := "host"
	if guest {
		place = "guest"
	}
	for _, e := range os.Environ() {
		if guest && strings.HasPrefix(e, "TMPDIR=") {
			continue // a directory of the machine's, read-only there
		}
		s.Env = append(s.Env, e)
	}
	if g.NeedsBinary {
		s.Env = append(s.Env, binaryEnv(dir)...)
	}
	s.Env = append(append(s.Env, g.Env...), EnvArtifacts+"="+artifacts, EnvInGuest+"="+place)
	if ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil {
		s.Rows, s.Cols = ws.Row, ws.Col
	}
	text, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	return s, os.WriteFile(filepath.Join(dir, "spec.json"), text, 0o600)
}

func (g Guest) writers() (out, err io.Writer) {
	out, err = g.Stdout, g.Stderr
	if out == nil {
		out = os.Stdout
	}
	if err == nil {
		err = os.Stderr
	}
	return out, err
}

// bounded adds g's time limit to ctx.
func (g Guest) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case g.Timeout > 0:
		return context.WithTimeout(ctx, g.Timeout)
	case g.Interactive:
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, testTimeout(g.Args))
}

// bootUML boots user-mode-linux with this binary as its init.
func bootUML(ctx context.Context, g Guest) (int, error) {
	kernel, err := exec.LookPath("linux.uml")
	if err != nil {
		return 0, fmt.Errorf("linux.uml not found: install the package user-mode-linux, or run `make setup`: %w", ErrNoGuest)
	}
	if g.Memory == "" {
		g.Memory = defaultMemory
	}
	memory, err := memoryDir(g.Memory)
	if err != nil {
		return 0, fmt.Errorf("place for the guest's memory: %w: %w", err, ErrNoGuest)
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "quorate-guest-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if g.Program == "/proc/self/exe" {
		g.Program = self
	}
	s, err := g.newSpec(dir, true)
	if err != nil {
		return 0, err
	}
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	console := &tail{limit: 64 << 10}
	err = runUML(ctx, umlCommand(kernel, self, dir, memory, g), g, console)
	status, serr := readStatus(s.Status)
	switch {
	case serr == nil:
		return status, nil
	case ctx.Err() != nil:
		return 0, fmt.Errorf("guest killed: %w", context.Cause(ctx))
	}
	return 0, fmt.Errorf("guest ended without a status (%v); its last words:\n%s", err, console)
}

func umlCommand(kernel, self, dir, memory string, g Guest) *exec.Cmd {
	args := []string{
		"mem=" + g.Memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "init=" + self,
		"con=null", "quiet", "loglevel=3", "panic=-1", "random.trust_cpu=on",
		"uml_dir=" + dir + "/", "umid=guest", envSpec + "=" + dir + "/spec.json",
	}
	if g.Disk != "" {
		args = append(args, "ubd0="+g.Disk)
	}
	if g.Interactive {
		args = append(args, "con0=fd:0,fd:1")
	} else {
		args = append(args, "con0=null,fd:1", "con1=null,fd:3", "con2=null,fd:4")
	}
	cmd := exec.Command(kernel, args...)
	cmd.Env = []string{"TMPDIR=" + memory, "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=" + os.Getenv("TERM")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: !g.Interactive}
	return cmd
}

// runUML runs the kernel's process until it ends or ctx does, copying what the guest writes.
func runUML(ctx context.Context, cmd *exec.Cmd, g Guest, console *tail) error {
	runtime.LockOSThread() // the death signal is tied to the thread that forks, and so is the processor
	defer runtime.UnlockOSThread()
	defer onOneProcessor(os.TempDir())()
	var copies sync.WaitGroup
	var ends []*os.File
	if g.Interactive {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	} else {
		out, errw := g.writers()
		cmd.Stdout, cmd.Stderr = console, console
		for _, w := range []io.Writer{out, errw} {
			r, end, err := os.Pipe()
			if err != nil {
				return err
			}
			defer r.Close()
			ends = append(ends, end)
			copies.Go(func() { io.Copy(w, r) })
		}
		cmd.ExtraFiles = ends
	}
	err := cmd.Start()
	for _, end := range ends {
		end.Close()
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	release := func() {}
	if !g.Interactive { // which shares the terminal's process group
		if release, err = outlive(cmd.Process.Pid); err != nil {
			killTree(cmd.Process.Pid)
			return errors.Join(err, cmd.Wait())
		}
	}
	stop := context.AfterFunc(ctx, func() { killTree(cmd.Process.Pid) })
	err = cmd.Wait()
	stop()
	release()
	copies.Wait()
	return err
}

// outlive starts a shell that kills the process group should this process die before release is called:
// the kernel's own helper processes would else stay for ever. release kills what is left of the group.
func outlive(group int) (release func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	watch := exec.Command("/bin/sh", "-c", fmt.Sprintf("read x; kill -9 -%d", group))
	watch.Stdin = r
	watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := watch.Start(); err != nil {
		w.Close()
		return nil, err
	}
	return func() {
		watch.Process.Kill()
		watch.Wait()
		syscall.Kill(-group, syscall.SIGKILL)
		w.Close()
	}, nil
}

// killTree kills a process and all that descend from it.
func killTree(pid int) {
	syscall.Kill(pid, syscall.SIGSTOP)
	for _, child := range children(pid) {
		killTree(child)
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

func children(pid int) []int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var pids []int
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for field := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(field); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

func readStatus(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// memoryDir finds a directory for the guest's memory: with room, and from which pages may be executed.
// A tmpfs is many times faster than a disk, so it comes first.
func memoryDir(size string) (string, error) {
	need, err := strconv.ParseUint(strings.TrimSuffix(size, "M"), 10, 32)
	if err != nil {
		return "", fmt.Errorf("memory %q: want a number and M", size)
	}
	var errs []error
	for _, dir := range []string{"/dev/shm", os.Getenv("XDG_RUNTIME_DIR"), os.TempDir(), "/var/tmp"} {
		if dir == "" {
			continue
		}
		if err := fitForMemory(dir, need<<20); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
			continue
		}
		return dir, nil
	}
	return "", errors.Join(errs...)
}

func fitForMemory(dir string, need uint64) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < need/4 {
		return fmt.Errorf("%d MiB free, too few", free>>20)
	}
	f, err := os.CreateTemp(dir, "quorate-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		return err
	}
	page, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("no pages may be executed there: %w", err)
	}
	return unix.Munmap(page)
}

// tail keeps the last bytes written to it.
type tail struct {
	limit int
	mu    sync.Mutex
	buf   bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - t.limit; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

func firstLines(s string, n int) string {
	lines := strings.SplitN(strings.TrimSpace(s), "\n", n+1)
	return strings.Join(lines[:min(n, len(lines))], "\n")
}
