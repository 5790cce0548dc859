package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Host is a machine: network, mounts and host name of its own, and a directory with etc, data, log
// and run, the last of which is its /run.
type Host struct {
	Name string
	Dir  string // of its files; they outlive its death, as a disk does

	net   *Net
	cfg   hostConfig
	space string // name in /run/netns
	ports []*port

	mu        sync.Mutex // guards what follows
	sp        *space     // nil while the host is off
	processes []*Process
}

// hostSettings are the kernel settings of every host.
func hostSettings() map[string]string {
	return map[string]string{
		"ipv6/conf/all/accept_dad":               "0", // addresses are usable at once
		"ipv6/conf/default/accept_dad":           "0",
		"ipv6/conf/default/router_solicitations": "0",
		"ipv6/conf/default/autoconf":             "0",
		"ipv4/conf/all/rp_filter":                "0",
		"ipv4/conf/default/rp_filter":            "0",
		"ipv4/ping_group_range":                  "0 0",
	}
}

func (h *Host) switchOn() error {
	settings := hostSettings()
	maps.Copy(settings, h.cfg.settings)
	sp, err := newSpace(spaceConfig{
		Name: h.space, Hostname: h.Name, Run: filepath.Join(h.Dir, "run"), Settings: settings,
	})
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.sp = sp
	h.mu.Unlock()
	lo, err := sp.nl.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := sp.nl.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	for _, p := range h.ports {
		if err := p.plug(h); err != nil {
			return err
		}
	}
	for _, p := range h.ports {
		if err := p.awaitUp(h); err != nil {
			return err
		}
	}
	if h.cfg.gateway.IsValid() {
		if err := h.setGateway(h.cfg.gateway); err != nil {
			return err
		}
	}
	if h.cfg.started != nil {
		return h.cfg.started(h)
	}
	return nil
}

func (h *Host) setGateway(gw netip.Addr) error {
	for _, p := range h.ports {
		for _, prefix := range p.prefix {
			if !prefix.Contains(gw) {
				continue
			}
			link, err := h.sp.nl.LinkByName(p.name)
			if err != nil {
				return err
			}
			route := &netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.IP(gw.AsSlice())}
			if err := h.sp.nl.RouteReplace(route); err != nil {
				return fmt.Errorf("add the default route by %v: %w", gw, err)
			}
			return nil
		}
	}
	return fmt.Errorf("no interface has a prefix with the gateway %v", gw)
}

// switchOff cuts the power. Every process is stopped before a cable goes, so that none sees one cable
// go before the other and says a last word there: a machine that dies says nothing.
func (h *Host) switchOff() {
	h.mu.Lock()
	sp := h.sp
	h.sp = nil
	processes := h.processes
	h.processes = nil
	h.mu.Unlock()
	if sp == nil {
		return
	}
	for _, pid := range processesIn(sp) {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	for _, p := range h.ports {
		if link, err := h.net.sw.nl.LinkByName(p.outside); err == nil {
			h.net.sw.nl.LinkDel(link)
		}
	}
	killIn(sp)
	for _, p := range processes {
		<-p.done
	}
	sp.close()
}

// On tells whether the host is switched on.
func (h *Host) On() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sp != nil
}

var errOff = errors.New("the host is off")

func (h *Host) on() (*space, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sp == nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, errOff)
	}
	return h.sp, nil
}

// killIn kills every process whose network is the space's, and waits until none is left.
func killIn(s *space) {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		pids := processesIn(s)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// processesIn lists the processes whose network is the space's; those that have died do not count.
func processesIn(s *space) []int {
	var ours unix.Stat_t
	if unix.Fstat(int(s.net), &ours) != nil {
		return nil
	}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || pid == 1 || pid == os.Getpid() {
			continue
		}
		var st unix.Stat_t
		if unix.Stat("/proc/"+name+"/ns/net", &st) == nil && st.Ino == ours.Ino {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Do runs f on a thread in the host's network: sockets that f opens, in its own goroutine, are the
// host's.
func (h *Host) Do(f func()) error {
	sp, err := h.on()
	if err != nil {
		return err
	}
	return sp.inside(f)
}

// Run runs a program on the host to its end and returns its standard output; the error has the
// beginning of its standard error.
func (h *Host) Run(ctx context.Context, argv ...string) (string, error) {
	cmd, err := h.command(argv)
	if err != nil {
		return "", err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 10 * time.Second // what it has written is read by then, also where processors are short
	if err := h.start(cmd); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err = cmd.Wait()
	stop()
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		err = fmt.Errorf("%s: %s: %w: %s", h.Name, strings.Join(argv, " "), err, firstLines(stderr.String(), 10))
	}
	return stdout.String(), err
}

// MustRun is [Host.Run] with a limit of a minute, for commands that must succeed.
func (h *Host) MustRun(argv ...string) string {
	h.net.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := h.Run(ctx, argv...)
	if err != nil {
		h.net.t.Fatalf("%v", err)
	}
	return out
}

// Start starts a program that stays. What it writes goes to log/NAME.log in the host's directory.
func (h *Host) Start(name string, argv ...string) *Process {
	h.net.t.Helper()
	p, err := h.startProcess(name, nil, argv)
	if err != nil {
		h.net.t.Fatalf("lab: start %s: %v", name, err)
	}
	return p
}

func (h *Host) startProcess(name string, prepare func(*exec.Cmd) error, argv []string) (*Process, error) {
	cmd, err := h.command(argv)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(h.LogFile(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if prepare != nil {
		if err := prepare(cmd); err != nil {
			return nil, err
		}
	}
	if err := h.start(cmd); err != nil {
		return nil, err
	}
	p := &Process{Name: name, Pid: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.processes = append(h.processes, p)
	return p, nil
}

// LogFile is where the output of the program started under that name goes.
func (h *Host) LogFile(name string) string { return filepath.Join(h.Dir, "log", name+".log") }

// Socket is the path of the agent's unix socket on this host, seen from everywhere in the lab.
func (h *Host) Socket() string { return filepath.Join(h.Dir, "quorate.sock") }

func (h *Host) command(argv []string) (*exec.Cmd, error) {
	if len(argv) == 0 {
		return nil, errors.New("no command")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "QUORATE_SOCKET="+h.Socket(), "LAB_HOST="+h.Name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}

// start forks from a thread that is in the host's namespaces.
func (h *Host) start(cmd *exec.Cmd) error {
	sp, err := h.on()
	if err != nil {
		return err
	}
	return sp.start(cmd)
}

// Addr is the host's first address on a segment.
func (h *Host) Addr(s *Segment) netip.Addr {
	h.net.t.Helper()
	for _, p := range h.ports {
		if p.segment == s && len(p.prefix) > 0 {
			return p.prefix[0].Addr()
		}
	}
	h.net.t.Fatalf("lab: host %s has no address on %s", h.Name, s.Name)
	return netip.Addr{}
}

// Interface is the name of the host's interface on a segment.
func (h *Host) Interface(s *Segment) string {
	h.net.t.Helper()
	return h.port(s).name
}

func (h *Host) port(s *Segment) *port {
	h.net.t.Helper()
	for _, p := range h.ports {
		if p.segment == s {
			return p
		}
	}
	h.net.t.Fatalf("lab: host %s is not on %s", h.Name, s.Name)
	return nil
}
