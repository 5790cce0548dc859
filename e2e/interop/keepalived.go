package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// keepalived is Debian's keepalived, its VRRP part alone.
type keepalived struct {
	t    lab.T
	cell Cell
	on   *lab.Host
	to   string // the other side's address, for unicast

	global, instance string // more of its file, outside of the instance and in it

	process *lab.Process
}

// config is the file for a cell.
func (k *keepalived) config(s Settings) string {
	c := k.cell
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n router_id %s\n vrrp_version %d\n}\n", k.on.Name, c.Version)
	b.WriteString(k.global)
	fmt.Fprintf(&b, "vrrp_instance %s {\n interface eth0\n virtual_router_id %d\n priority %d\n advert_int %g\n",
		group, vrid, s.Priority, s.Interval.Seconds())
	if c.VirtualMAC {
		b.WriteString(" use_vmac\n")
		if c.Unicast {
			b.WriteString(" vmac_xmit_base\n") // unicast from a virtual MAC would loop in the switch
		}
	}
	if c.Unicast {
		fmt.Fprintf(&b, " unicast_src_ip %s\n unicast_peer {\n  %s\n }\n old_unicast_checksum never\n check_unicast_src\n", c.base(peerNumber), k.to)
	}
	if c.Pass {
		fmt.Fprintf(&b, " authentication {\n  auth_type PASS\n  auth_pass %s\n }\n", password)
	}
	b.WriteString(k.instance + " virtual_ipaddress {\n")
	for _, p := range s.Addresses {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	b.WriteString(" }\n}\n")
	return b.String()
}

// password is the one of cells that have one: eight bytes is all that fits.
const password = "s3cr3t"

// Host implements [Speaker].
func (k *keepalived) Host() *lab.Host { return k.on }

func (k *keepalived) pidFile(name string) string { return filepath.Join(k.on.Dir, "run", name) }

// Start implements [Speaker].
func (k *keepalived) Start(s Settings) {
	k.t.Helper()
	os.Remove(k.pidFile("vrrp.pid")) // of one that was killed
	if k.cell.VirtualMAC {
		k.on.MustRun("sh", "-c", aloof)
	}
	k.run(k.config(s))
}

// run starts it with a file.
func (k *keepalived) run(config string) {
	k.t.Helper()
	file := k.on.WriteFile("keepalived.conf", config)
	// Without a log: what it writes to a console would be part of its timing.
	k.process = realtime(k.on, "keepalived", "keepalived", "--vrrp", "--dont-fork", "--no-syslog", "--use-file", file,
		"--pid", k.pidFile("keepalived.pid"), "--vrrp_pid", k.pidFile("vrrp.pid"))
	lab.Eventually(k.t, 10*time.Second, "keepalived runs", func() error {
		_, err := k.vrrpPid()
		return err
	})
}

// vrrpPid is the process that speaks.
func (k *keepalived) vrrpPid() (int, error) {
	text, err := os.ReadFile(k.pidFile("vrrp.pid"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil && pid <= 1 {
		err = fmt.Errorf("process %d", pid)
	}
	return pid, err
}

// Set implements [Speaker].
func (k *keepalived) Set(s Settings) {
	k.t.Helper()
	k.on.WriteFile("keepalived.conf", k.config(s))
	if err := k.process.Signal(syscall.SIGHUP); err != nil {
		k.t.Fatalf("reload keepalived: %v", err)
	}
}

// Stop implements [Speaker]. The goodbye goes at once; the process stays a second longer.
func (k *keepalived) Stop() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := k.process.Signal(syscall.SIGTERM); err != nil {
		k.t.Fatalf("stop keepalived: %v", err)
	}
	if err := k.process.Wait(ctx); err != nil && ctx.Err() != nil {
		k.t.Fatalf("stop keepalived: %v", err)
	}
}

// Kill implements [Speaker]. The process that speaks is killed first, while its parent is frozen: it says
// goodbye when its parent dies, and its parent would start another.
func (k *keepalived) Kill() {
	k.t.Helper()
	pid, err := k.vrrpPid()
	if err == nil {
		err = k.process.Freeze()
	}
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		k.t.Fatalf("kill keepalived: %v", err)
	}
	k.process.Kill()
}
