package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Systemd is a systemd on a host, with a process namespace, files and control groups of its own. It may
// write to /etc, /usr/local, /var and /tmp, and what it writes ends with it; the host's /run is its too.
// It finds no unit of the machine but targets and slices, and has no journal: its own log is the host's
// log "systemd", and a unit's output goes where the unit says.
type Systemd struct {
	h     *Host
	init  *Process
	group string // directory of its control groups
}

// NoSystemd says why this machine cannot run a [Systemd], or "".
func NoSystemd() string {
	if _, err := systemdProgram(); err != nil {
		return err.Error()
	}
	if text, _ := os.ReadFile("/proc/self/uid_map"); !bytes.Contains(text, []byte("4294967295")) {
		return "needs root: units run as users of their own"
	}
	return ""
}

func systemdProgram() (string, error) {
	for _, path := range []string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no systemd: install the package systemd")
}

// systemdOrder is what the lab tells the process that becomes systemd.
type systemdOrder struct {
	Hostname string
	Console  string // a terminal that takes its log
}

// Systemd boots a systemd on the host and waits until it has started what it finds. It ends with the test.
func (h *Host) Systemd(t T) *Systemd {
	t.Helper()
	if why := NoSystemd(); why != "" {
		t.Fatalf("lab: %s", why)
	}
	console, slave, err := terminal(h.LogFile("systemd"))
	if err != nil {
		t.Fatalf("lab: systemd of %s: %v", h.Name, err)
	}
	group, err := newGroup(h.Name)
	if err != nil {
		t.Fatalf("lab: systemd of %s: %v", h.Name, err)
	}
	fd, err := os.Open(group)
	if err != nil {
		t.Fatalf("lab: systemd of %s: %v", h.Name, err)
	}
	defer fd.Close()
	s := &Systemd{h: h, group: group}
	s.init, err = h.startChild("systemd-start", roleSystemd, systemdOrder{h.Name, slave}, func(cmd *exec.Cmd) error {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Setsid: true, UseCgroupFD: true, CgroupFD: int(fd.Fd()),
			Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC,
		}
		return nil
	})
	if err != nil {
		t.Fatalf("lab: start systemd on %s: %v", h.Name, err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			h.net.Evidence() // while the units run
		}
		s.init.Kill()
		<-s.init.done
		console.Close()
		if err := removeGroup(group); err != nil {
			t.Errorf("lab: control groups of %s stay: %v", h.Name, err)
		}
	})
	Eventually(t, 30*time.Second, "systemd of "+h.Name+" runs", func() error {
		if !s.init.Alive() {
			return fmt.Errorf("it has ended: see %s", h.LogFile("systemd-start"))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err := s.Run(ctx, "systemctl", "is-system-running")
		return err
	})
	return s
}

// Init is systemd's own process.
func (s *Systemd) Init() *Process { return s.init }

// Run is [Host.Run] with the files and the processes of the systemd.
func (s *Systemd) Run(ctx context.Context, argv ...string) (string, error) {
	if !s.init.Alive() {
		return "", fmt.Errorf("systemd of %s has ended", s.h.Name)
	}
	return s.h.Run(ctx, append([]string{"nsenter", "-t", fmt.Sprint(s.init.Pid), "-m", "-p", "-i", "--"}, argv...)...)
}

// MustRun is [Systemd.Run] with a limit of a minute, for commands that must succeed.
func (s *Systemd) MustRun(t T, argv ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := s.Run(ctx, argv...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return out
}

// terminal makes a pseudo-terminal, and copies what is written to it to a file until it is closed.
func terminal(file string) (master *os.File, slave string, err error) {
	log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, "", err
	}
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		log.Close()
		return nil, "", err
	}
	var n int
	if err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err == nil {
		n, err = unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	}
	if err != nil {
		return nil, "", errors.Join(err, log.Close(), master.Close())
	}
	slave = fmt.Sprintf("/dev/pts/%d", n)
	hold, err := os.OpenFile(slave, os.O_RDWR|unix.O_NOCTTY, 0) // else a read fails while nobody has it open
	if err != nil {
		return nil, "", errors.Join(err, log.Close(), master.Close())
	}
	go func() {
		defer log.Close()
		defer hold.Close()
		io.Copy(log, master)
	}()
	return master, slave, nil
}

// groupPrefix begins the names of the lab's control groups.
const groupPrefix = "quorate-lab-"

// newGroup makes a control group below the lab's own. Control groups are the one thing of a lab that does not
// end with its namespaces: those that a lab left which was killed are removed here.
func newGroup(name string) (string, error) {
	root := labDir + ".cgroup"
	var fsys unix.Statfs_t
	if unix.Statfs(root, &fsys) != nil || fsys.Type != unix.CGROUP2_SUPER_MAGIC {
		if err := os.MkdirAll(root, 0o755); err != nil {
			return "", err
		}
		if err := (mount{"cgroup2", root, "cgroup2", 0, ""}).do(); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	own := root
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/"); ok {
			own = filepath.Join(root, path)
		}
	}
	old, _ := filepath.Glob(filepath.Join(own, groupPrefix+"*"))
	for _, dir := range old {
		events, _ := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		if st, err := os.Stat(dir); err == nil && time.Since(st.ModTime()) > time.Minute && strings.Contains(string(events), "populated 0") {
			removeGroup(dir)
		}
	}
	return os.MkdirTemp(own, groupPrefix+name+"-")
}

// removeGroup removes a control group and all below it. Its processes may take a moment to be gone.
func removeGroup(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return poll(ctx, func() error {
		var dirs []string
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		for i := len(dirs) - 1; i >= 0; i-- { // the deepest first
			err = errors.Join(err, unix.Rmdir(dirs[i]))
		}
		return err
	})
}
