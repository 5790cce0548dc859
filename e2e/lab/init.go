package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// exitNoNamespaces is what init exits with when the kernel refuses it the mounts of a lab.
const exitNoNamespaces = 97

// labDir is the directory under which every network keeps its hosts' files: a tmpfs, and short, since
// the path of a unix socket has 107 bytes.
const labDir = "/run/lab"

// schedulers are the modules of IPVS beside the core.
var schedulers = []string{
	"ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc", "ip_vs_lblc", "ip_vs_lblcr", "ip_vs_dh", "ip_vs_sh",
	"ip_vs_sed", "ip_vs_nq", "ip_vs_fo", "ip_vs_ovf", "ip_vs_mh",
}

// runInit is process 1 of a lab: it sets the place up, runs the program, and leaves its exit status.
func runInit(path string) {
	os.Unsetenv(envSpec)
	status := 1
	s, err := readSpec(path)
	if err == nil {
		status, err = s.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: init:", err)
	}
	if s.Guest {
		unix.Sync()
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		select {}
	}
	if errors.Is(err, errNoNamespaces) {
		os.Exit(exitNoNamespaces)
	}
	os.Exit(status)
}

func readSpec(path string) (spec, error) {
	var s spec
	text, err := os.ReadFile(path)
	if err != nil {
		return spec{Guest: true}, err
	}
	return s, json.Unmarshal(text, &s)
}

func (s spec) run() (int, error) {
	setup := s.setupNamespaces
	if s.Guest {
		setup = s.setupGuest
	}
	if err := setup(); err != nil {
		return 1, err
	}
	if err := s.setupBoth(); err != nil {
		return 1, err
	}
	status, err := s.runProgram()
	if err != nil {
		return 1, err
	}
	return status, writeSync(s.Status, strconv.Itoa(status)+"\n")
}

// writeSync writes a file through to the machine's file system.
func writeSync(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// A mount is one line of a table of mounts.
type mount struct {
	from, to, kind string
	flags          uintptr
	options        string
}

func (m mount) do() error {
	if err := unix.Mount(m.from, m.to, m.kind, m.flags, m.options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.kind, m.to, err)
	}
	return nil
}

// setupGuest makes a fresh user-mode-linux a machine: its root is the real machine's, read-only.
func (s spec) setupGuest() error {
	for _, m := range []mount{
		{"proc", "/proc", "proc", 0, ""},
		{"sysfs", "/sys", "sysfs", 0, ""},
		{"tmpfs", "/run", "tmpfs", 0, "mode=755"},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/dev/pts", "/dev/shm"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := linkModules(); err != nil {
		return err
	}
	if err := modprobe(append([]string{"overlay", "ipv6", "ip_vs", "iptable_mangle"}, schedulers...)...); err != nil {
		return err
	}
	for _, m := range []mount{
		{"devpts", "/dev/pts", "devpts", 0, "ptmxmode=666"},
		{"tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777"},
	} {
		if err := m.do(); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/etc", "/tmp", "/var"} {
		if err := overlay(dir); err != nil {
			return err
		}
	}
	if err := s.mountDisk(); err != nil {
		return err
	}
	for from, to := range s.Share {
		if err := (mount{"none", to, "hostfs", 0, from}).do(); err != nil {
			return err
		}
	}
	return nil
}

// mountDisk mounts the guest's own disk, if it has one.
func (s spec) mountDisk() error {
	if !s.Disk {
		return nil
	}
	if err := modprobe("ext4"); err != nil {
		return err
	}
	if err := os.MkdirAll(Disk, 0o755); err != nil {
		return err
	}
	return mount{"/dev/ubda", Disk, "ext4", 0, ""}.do()
}

// kmodDir is where modprobe finds the guest's modules; many machines have no /lib/modules to put them.
const kmodDir = "/run/kmod"

// linkModules makes the guest kernel's modules known to modprobe, and to the kernel that calls it.
func linkModules() error {
	if dirs, _ := filepath.Glob("/usr/lib/uml/modules/*"); len(dirs) == 0 {
		return errors.New("no modules in /usr/lib/uml/modules: install the package user-mode-linux")
	}
	if err := os.MkdirAll(kmodDir+"/lib", 0o755); err != nil {
		return err
	}
	if err := os.Symlink("/usr/lib/uml/modules", kmodDir+"/lib/modules"); err != nil {
		return err
	}
	script := "#!/bin/sh\nexec /sbin/modprobe -d " + kmodDir + " \"$@\"\n"
	if err := os.WriteFile(kmodDir+"/modprobe", []byte(script), 0o755); err != nil {
		return err
	}
	return os.WriteFile("/proc/sys/kernel/modprobe", []byte(kmodDir+"/modprobe\n"), 0o644)
}

func modprobe(names ...string) error {
	out, err := exec.Command("/sbin/modprobe", append([]string{"-d", kmodDir, "-a"}, names...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("modprobe: %w: %s", err, firstLines(string(out), 3))
	}
	return nil
}

// overlay makes a directory of the read-only root writable; what is written is forgotten.
func overlay(dir string) error {
	upper, work := "/run/overlay"+dir+"/upper", "/run/overlay"+dir+"/work"
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if dir == "/tmp" {
		if err := os.Chmod(upper, 0o1777); err != nil {
			return err
		}
	}
	return mount{"overlay", dir, "overlay", 0, "lowerdir=" + dir + ",upperdir=" + upper + ",workdir=" + work}.do()
}

// setupNamespaces makes fresh namespaces on the machine's kernel a place for a lab.
func (s spec) setupNamespaces() error {
	for _, m := range []mount{
		{"none", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"sysfs", "/sys", "sysfs", 0, ""},
		{"tmpfs", "/run", "tmpfs", 0, "mode=755"},
	} {
		if err := m.do(); err != nil {
			return fmt.Errorf("%w: %w", errNoNamespaces, err)
		}
	}
	return nil
}

func (s spec) setupBoth() error {
	for _, dir := range []string{"/run/netns", "/run/lock", labDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	limit := unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil && s.Guest {
		return fmt.Errorf("raise the limit of open files: %w", err)
	}
	if err := unix.Sethostname([]byte("lab")); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	return netlink.LinkSetUp(lo)
}

// runProgram runs the lab's program and waits for it, taking in all orphans on the way.
func (s spec) runProgram() (int, error) {
	cmd := exec.Command(s.Program, s.Args...)
	cmd.Dir = s.Dir
	cmd.Env = withPath(s.Env)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if err := s.stdio(cmd); err != nil {
		return 1, err
	}
	if !s.Guest {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT) // the program decides
	}
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("start %s: %w", s.Program, err)
	}
	status := reapUntil(cmd.Process.Pid)
	if !s.Guest {
		killAll() // what the program left would hold its output open
	}
	return status, nil
}

// reapUntil waits for all children of process 1, and returns the exit status of the one it is told.
func reapUntil(pid int) int {
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR || err == nil && got != pid:
			continue
		case err != nil:
			return 1
		case ws.Signaled():
			return 128 + int(ws.Signal())
		}
		return ws.ExitStatus()
	}
}

// killAll ends every process of this process namespace but its init, the caller.
func killAll() {
	if os.Getpid() != 1 {
		return
	}
	unix.Kill(-1, unix.SIGKILL)
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if _, err := unix.Wait4(-1, nil, 0, nil); err == unix.ECHILD {
			return
		}
	}
}

// withPath makes sure that the tools in the sbin directories are found.
func withPath(env []string) []string {
	const tools = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") })
	if i < 0 {
		return append(env, "PATH="+tools)
	}
	env[i] += ":" + tools
	return env
}

// stdio gives the program its input and output. A guest's are consoles, in raw mode unless a person
// sits there.
func (s spec) stdio(cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if !s.Guest {
		return nil
	}
	if s.Interactive {
		tty, err := os.OpenFile("/dev/tty0", os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			return err
		}
		if s.Rows > 0 {
			unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: s.Rows, Col: s.Cols})
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
		cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
		return nil
	}
	out, err := rawConsole("/dev/tty1")
	if err != nil {
		return err
	}
	errw, err := rawConsole("/dev/tty2")
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, out, errw
	return nil
}

// rawConsole opens a console that passes bytes on as they are.
func rawConsole(path string) (io.Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	t.Oflag, t.Iflag, t.Lflag = 0, 0, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
