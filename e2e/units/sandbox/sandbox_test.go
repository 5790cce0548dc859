// Package sandbox holds the test of what the systemd units let quorate do with a kernel that has IPVS: its
// table, its settings and modules, and check scripts as a user of their own.
package sandbox

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
	"github.com/quorate/quorate/e2e/units/installed"
)

func TestMain(m *testing.M) { lab.Main(m) }

// clusterFile has a scheduler whose module is not loaded, and a check that passes only in the sandbox and as
// the user that it is for.
const clusterFile = `router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
}

router "inside" {
  vrid      = 52
  interface = "lan"
  addresses = ["192.168.2.1/24"]
}

service "web" {
  address   = "192.168.1.1:80"
  scheduler = "mh"
  forward   = "nat"

  check "script" {
    command  = ["/usr/local/bin/check-web"]
    interval = "3s"
    timeout  = "2900ms"
  }

  server "192.168.2.11:80" {}
  server "192.168.2.12:80" {}
}
`

// checkScript is the program of the check.
const checkScript = "/usr/local/bin/check-web"

// script forks little: a fork is dear in a guest.
const script = `#!/bin/sh
set -u
while read -r name value rest; do
	case $name in
	CapEff: | CapPrm:) [ "$value" = 0000000000000000 ] || exit 1 ;;
	NoNewPrivs:) [ "$value" = 1 ] || exit 1 ;;
	esac
done </proc/self/status
[ "$(id -un)" = quorate-check ] || exit 1
(: >/usr/local/written) 2>/dev/null && exit 1
[ -r /var/lib/quorate ] && exit 1
: >/tmp/written || exit 1
exec curl -sf -o /dev/null "http://$QUORATE_SERVER_ADDRESS:$QUORATE_SERVER_PORT/"
`

func TestTheSandboxLetsServicesWork(t *testing.T) {
	if why := lab.NoSystemd(); why != "" {
		t.Skip(why)
	}
	a := lab.NewArticle(t, 1)
	d := installed.Boot(t, a.Directors[0])
	d.Write(t, checkScript, script)
	d.MustRun(t, "chmod", "755", checkScript)
	for _, setting := range []string{"net.ipv4.ip_forward=0", "net.ipv4.vs.expire_nodest_conn=0"} {
		d.MustRun(t, "sysctl", "-qw", setting)
	}
	d.Systemctl(t, "enable", "--now", "quorate")
	d.MustQuorate("init")
	d.MustQuorate("apply", d.WriteFile("cluster.hcl", clusterFile), "--yes")
	lab.Eventually(t, 60*time.Second, "the scripts' verdicts are in the kernel's table", func() error {
		time.Sleep(500 * time.Millisecond) // what a look costs, the scripts would miss
		if table := strings.Join(d.IPVS(), "\n"); strings.Count(table, "-a -t 192.168.1.1:80") != 2 || !strings.Contains(table, "-s mh") {
			st, err := d.Quorate("status")
			return errors.Join(err, fmt.Errorf("table:\n%s\n%s", table, st))
		}
		return nil
	})
	lab.Eventually(t, 20*time.Second, "the service answers", func() error {
		_, err := a.Client.Run(t.Context(), "curl", "-sf", "-m", "2", "http://192.168.1.1/")
		return err
	})
	for name, want := range map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.vs.expire_nodest_conn": "1"} {
		if got := strings.TrimSpace(d.MustRun(t, "sysctl", "-n", name)); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	d.Capabilities(t)
	d.RealTime(t)
	d.NothingRefused(t)

	old := d.Control()
	d.Systemctl(t, "restart", "quorate")
	if old.Alive() || len(d.IPVS()) != 3 {
		t.Errorf("control lives: %v; after a restart the table is\n%s", old.Alive(), strings.Join(d.IPVS(), "\n"))
	}
}
