package imported

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/e2e/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// A step is what happens to both sites, and what the kernels must have then, and must not, whatever else they have.
type step struct {
	name      string
	do        func(s *site)
	has, lack []string
}

// kept is with whom it went to, by nopreempt.
const kept = "d2: address 192.168.2.6/24 inner"

func steps() []step {
	const (
		first  = "d1: -a -t 192.168.1.1:80 -r 192.168.2.11:80 -m -w 2"
		second = "d2: -a -t 192.168.1.1:80 -r 192.168.2.12:80 -m -w 3"
		sorry  = "d1: -a -t 192.168.1.1:7 -r 192.168.2.250:7007 -m -w 1"
		post   = "d1: -a -t 192.168.1.1:25 -r 192.168.2.11:25 -m -w 1"
		quiet  = "d2: -a -t 192.168.1.1:443 -r 192.168.2.11:443 -g -w 0"
		unwell = "d1: -a -u 192.168.1.1:5353 -r 192.168.2.12:53 -m -w 0"
		moved  = "d1: -a -t 192.168.1.1:7777 -r 192.168.2.11:7777 -g -w 1" // it is asked at port 7
	)
	return []step{
		{
			"all is well", func(*site) {},
			[]string{
				first, second, post, moved, "d1: -A -t 192.168.1.1:8022 -s mh", "d1: address 192.168.1.1/24 outer", "d1: address 192.168.2.1/24 inner",
				"d2: address fd00:1::1/64 outer", "d1: address fd00:1::9/64 outer", "d1: address 192.168.2.6/24 inner",
				"d1: address 192.168.2.7/24 inner at 00:00:5e:00:01:38",
			}, []string{sorry, quiet, unwell},
		},
		{
			"servers stop, and what one host tracks fails", func(s *site) {
				s.ill(s.Directors[0])
				for _, d := range s.Directors {
					d.MustRun("rm", checked)
				}
				s.Servers[0].Stop(lab.HTTP)
				s.Servers[0].Stop(lab.HTTPS)
				s.Servers[0].Stop(lab.TCP)
				s.Servers[0].Stop(lab.SMTP)
				s.Servers[1].Stop(lab.TCP)
			},
			[]string{
				second, sorry, quiet, unwell, "d1: -a -t 192.168.1.1:444 -r 192.168.2.251:444 -i -w 1 --tun-type ipip", "d2: address 192.168.1.1/24 outer", "d2: address 192.168.2.1/24 inner",
				"d1: address fd00:1::1/64 outer", "d2: address fd00:1::9/64 outer", "d2: address 192.168.2.5/24 inner",
				"d2: address 192.168.2.6/24 inner", "d2: address 192.168.2.7/24 inner at 00:00:5e:00:01:38",
				"d1: -a -t 192.168.1.1:25 -r 192.168.2.12:25 -m -w 1",
			}, []string{first, post, moved},
		},
		{
			"all is well again", func(s *site) {
				for _, d := range s.Directors {
					s.well(d)
				}
				for _, rs := range s.Servers {
					for _, service := range []lab.Service{lab.HTTP, lab.HTTPS, lab.TCP} {
						rs.Set(service, lab.Mode{})
					}
				}
				s.mail()
			},
			[]string{
				first, second, post, moved, "d1: address 192.168.1.1/24 outer", "d2: address fd00:1::1/64 outer", "d1: address 192.168.2.5/24 inner",
				kept, "d1: address 192.168.2.7/24 inner at 00:00:5e:00:01:38",
			}, []string{sorry, quiet, unwell},
		},
	}
}

// TestWhatKeepalivedDidQuorateDoesOnceItIsImported runs both on the same files.
func TestWhatKeepalivedDidQuorateDoesOnceItIsImported(t *testing.T) {
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Fatalf("no keepalived to compare with: %v", err)
	}
	theirs, ours := newSite(t), newSite(t)
	for _, d := range theirs.Directors { // the first owns what it keeps: with nopreempt it is who begins
		keepalived(t, d)
		lab.Eventually(t, 20*time.Second, "keepalived runs on "+d.Name, func() error {
			_, err := os.Stat(run(d, "checkers.pid"))
			return err
		})
	}
	ours.Cluster(t)
	d := ours.Directors[0]
	text := d.MustQuorate("import", "keepalived", path(t, "d1.conf"), path(t, "d2.conf"), "--node", "d1", "--node", "d2")
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", text), "--yes")

	for _, st := range steps() {
		st.do(theirs)
		st.do(ours)
		alike(t, st, "keepalived", theirs.kernels, ours.kernels)
	}
	for _, syntax := range []string{"hcl", "json"} {
		shown := d.WriteFile("shown."+syntax, d.MustQuorate("show", "--syntax", syntax))
		if out, err := d.Quorate("plan", shown); err != nil {
			t.Errorf("what show prints in %s is a change: %v\n%s", syntax, err, out)
		}
	}
	// The controls, without nopreempt and with another weight.
	preempts := strings.Replace(text, "  preempt   = false\n", "  placement \"score\" { hold = \"3s\" }\n", 1)
	d.MustQuorate("apply", d.WriteFile("preempts.hcl", preempts), "--yes")
	lab.Eventually(t, 30*time.Second, "the control: an address that goes back is seen", func() error {
		if k, q := theirs.has(), ours.has(); !slices.Contains(k, kept) || slices.Contains(q, kept) || slices.Equal(k, q) {
			return fmt.Errorf("the kernels are alike")
		}
		return nil
	})
	d.MustQuorate("set", "server", "tcp-8010", "192.168.2.12:80", "weight=2")
	lab.Eventually(t, 10*time.Second, "the control: a weight that is another is seen", func() error {
		if slices.Equal(theirs.has(), ours.has()) {
			return fmt.Errorf("the kernels are alike")
		}
		return nil
	})
}

// keepalived starts it on a host, by the host's file.
func keepalived(t *testing.T, d *lab.Director) {
	t.Helper()
	d.Start("keepalived", "keepalived", "--dont-fork", "--log-console", "--config-id", d.Name, "--use-file", path(t, d.Name+".conf"),
		"--pid", run(d, "keepalived.pid"), "--vrrp_pid", run(d, "vrrp.pid"), "--checkers_pid", run(d, "checkers.pid"))
}

// run is where a keepalived notes the number of one of its processes.
func run(d *lab.Director, name string) string { return filepath.Join(d.Dir, "run", name) }

func path(t *testing.T, name string) string {
	t.Helper()
	p, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// alike waits until both sites are where the step takes them, and their kernels have the same.
func alike(t *testing.T, st step, other string, theirs, ours func() []string) {
	t.Helper()
	lab.Eventually(t, 3*time.Minute, st.name, func() error {
		time.Sleep(500 * time.Millisecond) // to look is dear in the guest
		k, q := theirs(), ours()
		if err := errors.Join(st.reached(other, k), st.reached("quorate", q)); err != nil {
			return err
		}
		if diff := cmp.Diff(k, q); diff != "" {
			return fmt.Errorf("(-%s +quorate):\n%s", other, diff)
		}
		return nil
	})
}

// reached says what a site lacks of what the step takes it to.
func (st step) reached(name string, has []string) error {
	for _, line := range st.has {
		if !slices.Contains(has, line) {
			return fmt.Errorf("%s: %q is missing in\n%s", name, line, strings.Join(has, "\n"))
		}
	}
	for _, line := range st.lack {
		if slices.Contains(has, line) {
			return fmt.Errorf("%s: %q is there", name, line)
		}
	}
	return nil
}
