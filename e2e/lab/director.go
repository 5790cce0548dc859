package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Director is a host that forwards, with a small disk of its own for the agent.
type Director struct {
	*Host

	Bind       string      // the agent's address; the first one of the last interface unless changed
	Interfaces [][2]string // logical name and device: wan and lan, in the order of attachment, unless changed
	Role       string      // as the agent file says; "" is that of a director
	AgentHCL   string      // further lines of the agent file
	Env        []string    // of the agent, beside the host's
	Binary     string      // path of quorate; "" is the binary under test
	SlowDisk   *SlowDisk   // what the agent writes its data to, where that is to be slow
	Heartbeat  string      // of Raft; "" is 1s: a guest is slow, and a busy machine's hosts share its cores
}

// diskSize is the size of a director's disk.
const diskSize = "64m"

// Director adds a director. Nothing runs on it yet.
func (n *Net) Director(name string, at ...Attachment) *Director {
	n.t.Helper()
	d := &Director{}
	for i, a := range at {
		logical := "net" + strconv.Itoa(i)
		if i < 2 {
			logical = []string{"wan", "lan"}[i]
		}
		d.Interfaces = append(d.Interfaces, [2]string{logical, "eth" + strconv.Itoa(i)})
		if len(a.prefix) > 0 {
			d.Bind = a.prefix[0].Addr().String()
		}
	}
	d.Host = n.addHost(name, at, hostConfig{disk: cmp.Or(n.DiskSize, diskSize), settings: map[string]string{
		"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1",
		"ipv4/conf/all/send_redirects": "0", "ipv4/conf/default/send_redirects": "0",
	}})
	return d
}

// AgentFile writes the agent's file and returns its path.
func (d *Director) AgentFile() string {
	d.net.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "heartbeat = %q\n", cmp.Or(d.Heartbeat, "1s"))
	if os.Getenv(EnvInGuest) == "guest" { // reading the clock is a system call there, and dear
		b.WriteString("liveness = \"500ms\"\n")
	}
	fmt.Fprintf(&b, "name     = %q\ndata_dir = %q\nbind     = %q\nsocket   = %q\n", d.Name, d.DataDir(), d.Bind, d.Socket())
	b.WriteString("interfaces {\n")
	for _, pair := range d.Interfaces {
		fmt.Fprintf(&b, "  %s = %q\n", pair[0], pair[1])
	}
	b.WriteString("}\n" + d.AgentHCL)
	if d.Role != "" {
		fmt.Fprintf(&b, "role = %q\n", d.Role)
	}
	return d.WriteFile("agent.hcl", b.String())
}

// WriteFile writes a file to the host's etc directory and returns its path. A process that is just starting finds
// the old file or the new one, and never half of it.
func (h *Host) WriteFile(name, text string) string {
	h.net.t.Helper()
	path := filepath.Join(h.Dir, "etc", name)
	err := os.WriteFile(path+".new", []byte(text), 0o644)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		h.net.t.Fatalf("lab: %v", err)
	}
	return path
}

// Agent starts `quorate agent` on the director and waits until it answers.
func (d *Director) Agent(t T) *Process {
	t.Helper()
	p := d.StartAgent(t)
	d.AwaitAgent(t, p)
	return p
}

// StartAgent starts `quorate agent` and does not wait.
func (d *Director) StartAgent(t T) *Process {
	t.Helper()
	bin, err := d.binary()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	argv := []string{bin, "agent", "--config", d.AgentFile()}
	if len(d.Env) > 0 {
		argv = append(append([]string{"env"}, d.Env...), argv...)
	}
	if d.SlowDisk == nil {
		return d.Start("agent", argv...)
	}
	p, err := d.SlowDisk.start(d.Host, "agent", argv)
	if err != nil {
		t.Fatalf("lab: start the agent of %s: %v", d.Name, err)
	}
	return p
}

func (d *Director) binary() (string, error) {
	if d.Binary != "" {
		return d.Binary, nil
	}
	return binaryPath()
}

// AwaitAgent waits until the agent answers on its socket.
func (d *Director) AwaitAgent(t T, p *Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := poll(ctx, func() error {
		if !p.Alive() {
			cancel()
			return fmt.Errorf("ended: %v", p.err)
		}
		_, err := d.Status()
		return err
	})
	if err != nil {
		log, _ := os.ReadFile(d.LogFile("agent"))
		t.Fatalf("agent of %s: %v\n%s", d.Name, err, lastLines(string(log), 20))
	}
	// What it makes beside: where that does not come, a test is about that.
	soon, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = poll(soon, func() error {
		_, data := os.Stat(d.DataDir())
		_, keeper := os.Stat(filepath.Join(d.Dir, "keeper.sock"))
		return errors.Join(data, keeper)
	})
}

// Quorate runs the command line on the director and returns its standard output.
func (d *Director) Quorate(args ...string) (string, error) {
	bin, err := d.binary()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return d.Run(ctx, append([]string{bin}, args...)...)
}

// MustQuorate is [Director.Quorate] for commands that must succeed.
func (d *Director) MustQuorate(args ...string) string {
	d.net.t.Helper()
	out, err := d.Quorate(args...)
	if err != nil {
		d.net.t.Fatalf("%v", err)
	}
	return out
}

// A Status is what `quorate status -o json` promises to programs.
type Status struct {
	Leader       string           `json:"leader"`
	Quorum       bool             `json:"quorum"`
	Revision     uint64           `json:"revision"`
	AppliedIndex uint64           `json:"applied_index"`
	FeatureLevel uint64           `json:"feature_level"`
	StateHash    string           `json:"state_hash"`
	Directors    []DirectorStatus `json:"directors"`
	Groups       []GroupStatus    `json:"groups"`
	Services     []ServiceStatus  `json:"services"`
}

// A DirectorStatus is one director as a member sees it.
type DirectorStatus struct {
	Name  string `json:"name"`
	State string `json:"state"` // alive, unreachable, joining or leaving
	Ready bool   `json:"ready"`

	Draining bool `json:"draining"`
}

// A GroupStatus says who owns the addresses of a group.
type GroupStatus struct {
	Name   string `json:"name"`
	Owner  string `json:"owner"` // a director, "" or "foreign ADDRESS"
	Epoch  uint64 `json:"epoch"`
	Named  string `json:"named"` // the owner in that epoch, by the log
	Reason string `json:"reason"`
}

// A ServiceStatus is a virtual service and its real servers.
type ServiceStatus struct {
	Name    string         `json:"name"`
	Servers []ServerStatus `json:"servers"`
}

// A ServerStatus is a real server: what the cluster agreed, and what the kernel has.
type ServerStatus struct {
	Address string `json:"address"`
	Verdict string `json:"verdict"` // up, down or unknown
	Cause   string `json:"cause"`   // why
	Weight  int    `json:"weight"`  // 0 if out
}

// answersWithin is how long the agent has to answer what it is asked.
const answersWithin = 15 * time.Second

// Status asks the director's agent at its socket. A program for each look, as `quorate status` is, takes a guest more
// of its processor than the look.
func (d *Director) Status() (Status, error) {
	var s Status
	if _, err := d.on(); err != nil {
		return s, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.Socket())
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: answersWithin}
	resp, err := client.Get("http://agent/v1/status")
	if err != nil {
		return s, fmt.Errorf("status of %s: %w", d.Name, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return s, fmt.Errorf("status of %s: %w: %s", d.Name, err, firstLines(string(text), 5))
	}
	return s, nil
}

// Owner is the owner of a group, as this status has it.
func (s Status) Owner(group string) string {
	for _, g := range s.Groups {
		if g.Name == group {
			return g.Owner
		}
	}
	return ""
}

// Server is a real server of a service, as this status has it.
func (s Status) Server(service, address string) (ServerStatus, bool) {
	for _, sv := range s.Services {
		if sv.Name != service {
			continue
		}
		for _, server := range sv.Servers {
			if server.Address == address {
				return server, true
			}
		}
	}
	return ServerStatus{}, false
}

// Control is the control process of the director's agent.
func (d *Director) Control() *Process {
	d.net.t.Helper()
	return d.agentProcess("agent")
}

// Keeper is the keeper process of the director's agent.
func (d *Director) Keeper() *Process {
	d.net.t.Helper()
	return d.agentProcess("keeper")
}

func (d *Director) agentProcess(role string) *Process {
	d.net.t.Helper()
	p, err := d.FindProcess(role)
	if err != nil {
		d.net.t.Fatalf("lab: %v", err)
	}
	return p
}

// FindProcess finds the one process of quorate on the director whose subcommand is role.
func (d *Director) FindProcess(role string) (*Process, error) {
	sp, err := d.on()
	if err != nil {
		return nil, err
	}
	var found []*Process
	all := processesIn(sp)
	for _, pid := range all {
		argv := commandLine(pid)
		if len(argv) < 2 || argv[1] != role || zombie(pid) {
			continue
		}
		if parent := parentOf(pid); slices.Contains(all, parent) && slices.Equal(commandLine(parent), argv) {
			continue // it is about to be another program
		}
		p, err := d.known(pid, role)
		if errors.Is(err, syscall.ESRCH) {
			continue // ended since
		}
		if err != nil {
			return nil, fmt.Errorf("process %d of %s: %w", pid, d.Name, err)
		}
		found = append(found, p)
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fmt.Errorf("%s has no process `quorate %s`", d.Name, role)
	}
	return nil, fmt.Errorf("%s has %d processes `quorate %s`", d.Name, len(found), role)
}

// known is the process of that id: the lab's own, or one that another process started. Nothing is spent on it until it ends: who
// measures what processes cost has asked for them before.
func (h *Host) known(pid int, name string) (*Process, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.processes {
		if p.Pid == pid && p.Alive() {
			return p, nil
		}
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	end := os.NewFile(uintptr(fd), "pidfd")
	conn, err := end.SyscallConn()
	if err != nil {
		end.Close()
		return nil, err
	}
	p := &Process{Name: name, Pid: pid, done: make(chan struct{})}
	go func() {
		defer end.Close()
		p.err = cmp.Or(conn.Read(ended), errors.New("ended"))
		close(p.done)
	}()
	h.processes = append(h.processes, p)
	return p, nil
}

// ended reports whether the process of a pidfd has: it is readable then.
func ended(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0 && err == nil
}

func commandLine(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

func zombie(pid int) bool {
	f := stat(pid)
	return len(f) == 0 || f[0] == "Z" || f[0] == "X"
}

// parentOf returns the process that started one, or 0.
func parentOf(pid int) int {
	f := stat(pid)
	if len(f) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(f[1])
	return parent
}

// stat returns what the kernel says of a process, from its state on; nothing if there is none.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
