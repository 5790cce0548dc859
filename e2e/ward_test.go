package e2e

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/director/ipvs"
	"github.com/quorate/quorate/e2e/lab"
)

// A ward is a cluster with services whose servers fail.
type ward struct {
	t     lab.T
	a     *lab.Article
	state string // directory that tells the script how a server is
	roots *x509.CertPool
	total int // of servers in all services

	kernels map[string]*ipvs.Host // by director
}

// admit configures the services and waits until all servers are in.
func admit(t lab.T, a *lab.Article) *ward {
	t.Helper()
	w := &ward{t: t, a: a, state: a.Client.DataDir(), roots: x509.NewCertPool(), kernels: map[string]*ipvs.Host{}}
	ca, err := os.ReadFile(a.CAFile())
	if err != nil || !w.roots.AppendCertsFromPEM(ca) {
		t.Fatalf("CA: %v", err)
	}
	for _, rs := range a.Servers {
		rs.Set(lab.HTTP, lab.Mode{Body: healthy})
	}
	program := a.Client.WriteFile("check", checkScript)
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	text, _, _ := strings.Cut(lab.ArticleFile, "service ")
	for _, s := range treatments() {
		text += fmt.Sprintf("service %q {\n address = \"192.168.1.1:%d\"\n scheduler = \"rr\"\n check %s\n", s.name, s.port, s.check)
		text += fmt.Sprintf(" interval = %q\n timeout = %q\n rise = 2\n fall = 2\n }\n", s.interval.String(), s.timeout.String())
		for i := range s.servers {
			text += fmt.Sprintf(" server %q {}\n", w.address(s, i+1))
			w.total++
		}
		text += "}\n"
	}
	a.Apply(strings.NewReplacer("CA\n", string(ca), "SCRIPT", program, "STATE", w.state).Replace(text))
	a.AwaitOwner(t, ownedWithin, lab.OuterVIP)
	w.open()
	lab.Eventually(t, 15*time.Second, "all servers are in", func() error {
		for _, d := range a.Directors {
			if n := len(w.table(d)); n != w.total {
				return fmt.Errorf("%d servers in %s", n, d.Name)
			}
		}
		return nil
	})
	a.AwaitReady(t, 30*time.Second)
	return w
}

// checkScript fails, or hangs together with a child, where a file named for the server says so.
const checkScript = `#!/bin/busybox sh
how=well
[ -e "$1/$QUORATE_SERVER_ADDRESS" ] && read -r how <"$1/$QUORATE_SERVER_ADDRESS"
case $how in
fail) echo "out of order" >&2; exit 1 ;;
hang) sleep 86399 & sleep 86399 ;;
esac
`

// script makes the script of a server's check do so.
func (w *ward) script(how string) func(*lab.RealServer) func() {
	return func(rs *lab.RealServer) func() {
		path := filepath.Join(w.state, rs.Addr(w.a.Inner).String())
		if err := os.WriteFile(path, []byte(how+"\n"), 0o644); err != nil {
			w.t.Fatalf("%v", err)
		}
		return func() { os.Remove(path) }
	}
}

func (w *ward) address(s treated, i int) netip.AddrPort {
	return netip.AddrPortFrom(w.a.Servers[i-1].Addr(w.a.Inner), s.server)
}

// A failing is a fault under way, and when each director had the server out of its kernel.
type failing struct {
	fault
	within time.Duration // the bound
	entry  entry
	since  time.Time
	out    map[string]time.Duration
}

func (f failing) String() string { return fmt.Sprintf("%s %s %s", f.service, f.entry.server, f.what) }

// missed says where the server was not out in time.
func (f failing) missed(a *lab.Article) error {
	var errs []error
	for _, d := range a.Directors {
		if after, ok := f.out[d.Name]; !ok {
			errs = append(errs, fmt.Errorf("%s still has it", d.Name))
		} else if after > f.within {
			errs = append(errs, fmt.Errorf("%s had it for %v", d.Name, after))
		}
	}
	return errors.Join(errs...)
}

func (w *ward) inject(faults []fault) ([]*failing, func()) {
	var cases []*failing
	var undos []func()
	for _, f := range faults {
		c := w.failing(f)
		undos = append(undos, f.inject(w.a.Servers[f.server-1]))
		cases = append(cases, c)
	}
	return cases, func() {
		for _, undo := range undos {
			undo()
		}
	}
}

// failing is the fault, beginning now.
func (w *ward) failing(f fault) *failing {
	s := treatments()[f.service]
	return &failing{
		fault: f, within: s.outWithin(), entry: entry{s.port, w.address(s, f.server)},
		since: time.Now(), out: map[string]time.Duration{},
	}
}

// watch looks into the kernels until all servers that fail are out, or should be for half a second.
func (w *ward) watch(cases []*failing) {
	for _, c := range cases {
		for w.look(cases) > 0 && time.Since(c.since) < c.within+500*time.Millisecond {
			time.Sleep(150 * time.Millisecond)
		}
	}
}

// look notes which servers are out of which kernel, and counts those that are not. One that is in again
// was not out.
func (w *ward) look(cases []*failing) int {
	left := 0
	for _, d := range w.a.Directors {
		table := w.table(d)
		now := time.Now()
		for _, c := range cases {
			if table[c.entry] {
				delete(c.out, d.Name)
				left++
			} else if _, out := c.out[d.Name]; !out {
				c.out[d.Name] = now.Sub(c.since).Round(time.Millisecond)
			}
		}
	}
	return left
}

// in is nil once all servers are in all kernels.
func (w *ward) in(cases []*failing) error {
	for _, d := range w.a.Directors {
		table := w.table(d)
		for _, c := range cases {
			if !table[c.entry] {
				return fmt.Errorf("%s has no %s at %d", d.Name, c.entry.server, c.entry.port)
			}
		}
	}
	return nil
}

// An entry is a real server of one of the services in a kernel.
type entry struct {
	port   uint16 // of the service
	server netip.AddrPort
}

// table reads the kernel's table over a socket that is open: a program for each look would slow down
// what is looked at. The word of ipvsadm is asked for when all has happened.
func (w *ward) table(d *lab.Director) map[entry]bool {
	w.t.Helper()
	table, err := w.kernels[d.Name].Table(context.Background())
	if err != nil {
		w.t.Fatalf("table of %s: %v", d.Name, err)
	}
	in := map[entry]bool{}
	for key, service := range table {
		for server := range service.Dests {
			in[entry{key.Address.Port(), server}] = true
		}
	}
	return in
}

// open opens the kernels of all directors.
func (w *ward) open() {
	w.t.Helper()
	for _, d := range w.a.Directors {
		var kernel *ipvs.Host
		var err error
		if outer := d.Do(func() { kernel, err = ipvs.Open() }); outer != nil || err != nil {
			w.t.Fatalf("kernel of %s: %v, %v", d.Name, outer, err)
		}
		w.t.Cleanup(func() { kernel.Close() })
		w.kernels[d.Name] = kernel
	}
}

// A serverStatus is what status says of a real server beyond what programs rely on.
type serverStatus struct {
	Address    string            `json:"address"`
	Verdict    string            `json:"verdict"`
	Cause      string            `json:"cause"`
	Seen       map[string]string `json:"seen"`
	Asymmetric bool              `json:"asymmetric"`
}

func (w *ward) status(t lab.T, d *lab.Director, of ...*failing) []serverStatus {
	t.Helper()
	var st struct {
		Services []struct {
			Name    string         `json:"name"`
			Servers []serverStatus `json:"servers"`
		} `json:"services"`
	}
	if err := json.Unmarshal([]byte(d.MustQuorate("status", "-o", "json")), &st); err != nil {
		t.Fatalf("%v", err)
	}
	found := make([]serverStatus, len(of))
	for _, service := range st.Services {
		for _, server := range service.Servers {
			for i, c := range of {
				if c.service == service.Name && c.entry.server.String() == server.Address {
					found[i] = server
				}
			}
		}
	}
	return found
}

// explained holds that status names the cause of each fault.
func (w *ward) explained(t lab.T, d *lab.Director, cases []*failing, wrong *complaints) {
	t.Helper()
	text := d.MustQuorate("status")
	for i, s := range w.status(t, d, cases...) {
		if s.Verdict != "down" || !strings.Contains(s.Cause, cases[i].cause) || !strings.Contains(text, s.Cause) {
			wrong.addf("%s: status says %q, %q; want down, with %q", cases[i], s.Verdict, s.Cause, cases[i].cause)
		}
	}
}

// back waits until all servers are in all kernels.
func (w *ward) back(t lab.T, cases []*failing, wrong *complaints) {
	t.Helper()
	healed := time.Now()
	lab.Eventually(t, time.Minute, "all servers are back", func() error {
		time.Sleep(150 * time.Millisecond)
		return w.in(cases)
	})
	if after := time.Since(healed); after > backWithin {
		wrong.addf("all servers are back only after %v", after)
	}
}

// complaints are what is wrong in a round.
type complaints []string

func (c *complaints) addf(format string, args ...any) { *c = append(*c, fmt.Sprintf(format, args...)) }

// A machine keeps time unless it stalls for longer, or has less of its processor idle: then probes fail, and
// leaders are lost, for want of a processor.
const (
	maxStall = 200 * time.Millisecond
	minIdle  = 0.2
	maxTries = 4
)

// calmly does a round, and does it again if it failed while this machine did not keep time: a bound on a
// check holds for a director that is on time.
func (w *ward) calmly(t lab.T, round func() complaints) {
	t.Helper()
	for range maxTries {
		p := beginPulse()
		wrong := round()
		stall, idle := p.end()
		t.Logf("stalled for %v at most, %.0f %% idle", stall.Round(time.Millisecond), 100*idle)
		if len(wrong) == 0 {
			return
		}
		if stall <= maxStall && idle >= minIdle {
			t.Errorf("%s", strings.Join(wrong, "\n"))
			return
		}
		t.Logf("again, for this machine did not keep time: %s", strings.Join(wrong, "\n"))
	}
	t.Errorf("this machine never kept time")
}

// A pulse measures how late this machine is.
type pulse struct {
	stop        chan struct{}
	late        chan time.Duration
	idle, ticks float64 // at the begin
}

func beginPulse() pulse {
	p := pulse{stop: make(chan struct{}), late: make(chan time.Duration)}
	p.idle, p.ticks = processor()
	go func() {
		const beat = 20 * time.Millisecond
		worst := time.Duration(0)
		for {
			start := time.Now()
			select {
			case <-p.stop:
				p.late <- worst
				return
			case <-time.After(beat):
				worst = max(worst, time.Since(start)-beat)
			}
		}
	}()
	return p
}

// end returns the longest stall, and the share of the time in which the processor was idle.
func (p pulse) end() (stall time.Duration, idle float64) {
	close(p.stop)
	i, n := processor()
	return <-p.late, (i - p.idle) / max(n-p.ticks, 1)
}

// processor returns how many ticks the processor was idle, and how many there were.
func processor() (idle, all float64) {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(line) {
		n, _ := strconv.ParseFloat(field, 64) // the first is a word
		if all += n; i == 4 {
			idle = n
		}
	}
	return idle, all
}

// running are the processes whose command line has these words, each ended by a zero byte.
func running(words string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), words) {
			found = append(found, f)
		}
	}
	return found
}
