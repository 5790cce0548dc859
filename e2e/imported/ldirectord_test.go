package imported

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// whereLdirectord is the environment variable of the directory that `make proof-import` unpacks ldirectord into.
const whereLdirectord = "QUORATE_LDIRECTORD"

// ldirectordSteps are what happens to the real servers of both sites.
func ldirectordSteps() []step {
	const (
		page, other  = "-a -t 192.168.1.1:80 -r 192.168.2.11:80 -m -w 2", "-a -t 192.168.1.1:80 -r 192.168.2.12:80 -m -w 3"
		sorry        = "-a -t 192.168.1.1:80 -r 192.168.2.250:8080 -m -w 1"
		secure       = "-a -t 192.168.1.1:443 -r 192.168.2.11:443 -g -w 1"
		sorrySecure  = "-a -t 192.168.1.1:443 -r 192.168.2.251:443 -i -w 1 --tun-type ipip"
		sorryMark    = "-a -f 6 -r 192.168.2.250:0 -g -w 1"
		echo         = "-a -t 192.168.1.1:7 -r 192.168.2.11:7007 -m -w 1"
		direct       = "-a -t 192.168.1.1:7777 -r 192.168.2.11:7777 -g -w 5"
		quiet        = "-a -t 192.168.1.1:8080 -r 192.168.2.11:80 -m -w 0"
		post         = "-a -t 192.168.1.1:25 -r 192.168.2.11:25 -i -w 1 --tun-type ipip"
		marked       = "-a -f 5 -r 192.168.2.11:0 -g -w 4"
		markedByName = "-a -f 7 -r 192.168.2.11:0 -m -w 1"
	)
	stopAll := func(rs *lab.RealServer) {
		for _, service := range []lab.Service{lab.HTTP, lab.HTTPS, lab.TCP, lab.SMTP} {
			rs.Stop(service)
		}
	}
	well := step{
		"all is well", func(s *site) {},
		[]string{
			page, other, secure, echo, direct, post, marked, markedByName, "-A -t 192.168.1.1:80 -s wlc -p 600 -M 255.255.255.0",
			"-A -t 192.168.1.1:7 -s sh", "-A -f 6 -s wrr -p 60", "-a -u 192.168.1.1:53 -r 192.168.2.11:53 -m -w 9",
		},
		[]string{sorry, sorrySecure, sorryMark, quiet},
	}
	again := well
	again.name, again.do = "all is well again", func(s *site) {
		for _, d := range s.Directors {
			s.well(d)
		}
		for _, rs := range s.Servers {
			for _, service := range []lab.Service{lab.HTTP, lab.HTTPS, lab.TCP, lab.SMTP} {
				rs.Set(service, lab.Mode{})
			}
		}
	}
	return []step{
		well,
		{
			"the first server stops", func(s *site) { stopAll(s.Servers[0]) },
			[]string{other, quiet, marked, "-a -t 192.168.1.1:7777 -r 192.168.2.12:7777 -i -w 6 --tun-type ipip"},
			[]string{page, secure, echo, direct, post, markedByName, sorry, sorrySecure, sorryMark},
		},
		{
			"both stop, and what the program looks for is gone", func(s *site) {
				for _, d := range s.Directors {
					d.MustRun("rm", checked)
				}
				stopAll(s.Servers[1])
			},
			[]string{
				sorry, sorrySecure, sorryMark, quiet, "-a -t 192.168.1.1:7777 -r 192.168.2.250:8080 -m -w 1", "-a -f 5 -r 192.168.2.11:0 -g -w 0",
				"-a -t 192.168.1.1:8080 -r 192.168.2.12:80 -m -w 0", "-a -u 192.168.1.1:53 -r 192.168.2.11:53 -m -w 9",
			},
			[]string{page, other, marked},
		},
		again,
	}
}

// TestWhatLdirectordDidQuorateDoesOnceItIsImported runs ldirectord on one host of a site, and a cluster on what is
// imported from its file on another.
func TestWhatLdirectordDidQuorateDoesOnceItIsImported(t *testing.T) {
	theirs, ours := newSite(t), newSite(t)
	const check = "#!/bin/sh\ncase \"$*\" in '5 0 192.168.2.11 0' | '5 0 192.168.2.12 0') test -e " + checked + " ;; *) exit 1 ;; esac\n"
	for _, d := range append(slices.Clone(theirs.Directors), ours.Directors...) {
		d.MustRun("sh", "-c", `printf %s "$1" >/run/check; chmod 755 /run/check`, "sh", check)
	}
	has := func() []string { return theirTable(theirs.Directors[0]) }
	steps := ldirectordSteps()
	ldirectord(t, theirs.Directors[0], theirs.CAFile())
	lab.Eventually(t, 3*time.Minute, "ldirectord has all servers", func() error { // each takes it some programs, which are dear in the guest
		time.Sleep(500 * time.Millisecond)
		return steps[0].reached("ldirectord", has())
	})
	ours.Cluster(t)
	d := ours.Directors[0]
	text, _ := d.Quorate("import", "ldirectord", path(t, "ldirectord.cf")) // `supervised` is not carried over
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", text), "--yes")

	for _, st := range steps {
		st.do(theirs)
		st.do(ours)
		for _, d := range ours.Directors {
			alike(t, st, "ldirectord", has, d.IPVS)
		}
	}
	again := step{name: "as imported once more", do: func(*site) {}}
	for _, control := range []struct{ name, from, to, comes string }{
		{"a weight", "weight = 3", "weight = 4", "-a -t 192.168.1.1:80 -r 192.168.2.12:80 -m -w 4"},
		{"a port that is asked", "    port     = 7\n", "", "-a -t 192.168.1.1:7 -r 192.168.2.250:8080 -m -w 1"},
	} {
		wrong := strings.Replace(text, control.from, control.to, 1)
		d.MustQuorate("apply", d.WriteFile("control.hcl", wrong), "--yes")
		seen := func() error {
			if k, q := has(), d.IPVS(); slices.Contains(k, control.comes) || !slices.Contains(q, control.comes) {
				return fmt.Errorf("%q is not here alone in\n%s", control.comes, strings.Join(q, "\n"))
			}
			return nil
		}
		lab.Eventually(t, 30*time.Second, "the control: "+control.name+" that is another is seen", seen)
		lab.Consistently(t, 3*time.Second, "the control: after the next checks too", seen)
		d.MustQuorate("apply", d.WriteFile("cluster.hcl", text), "--yes")
		alike(t, again, "ldirectord", has, d.IPVS)
	}
}

// theirTable is the table of a host that ldirectord runs on. The server of a mark has there the port that it is asked at,
// of which the kernel makes no use as it forwards by address; quorate writes none.
func theirTable(d *lab.Director) []string {
	lines := d.IPVS()
	for i, line := range lines {
		lines[i] = portOfMark.ReplaceAllString(line, "$1:0 -g")
	}
	return lines
}

var portOfMark = regexp.MustCompile(`^(-a -f \d+ -r [0-9.]+):\d+ -g`)

// ldirectord starts it on a host. Its modules look who signed a certificate, by the authorities of ca.
func ldirectord(t *testing.T, d *lab.Director, ca string) {
	t.Helper()
	home := os.Getenv(whereLdirectord)
	if home == "" {
		t.Fatalf("no ldirectord to compare with: %s is not set; run `make proof-import`", whereLdirectord)
	}
	modules, err := filepath.Glob(filepath.Join(home, "usr/lib/*/perl5/*"))
	if err != nil {
		t.Fatal(err)
	}
	modules = append(modules, filepath.Join(home, "usr/share/perl5"))
	d.Start("ldirectord", "env", "PERLIO=perlio", "PERL5LIB="+strings.Join(modules, ":"), "SSL_CERT_FILE="+ca,
		"perl", filepath.Join(home, "usr/sbin/ldirectord"), path(t, "ldirectord.cf"), "start")
}
