package keeper

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// keepalived is the other implementation, in a namespace.
type keepalived struct {
	cmd *exec.Cmd
	pid string // file of the process that speaks VRRP
}

func (s *space) keepalived(priority int) *keepalived {
	s.t.Helper()
	dir := s.t.TempDir()
	file := filepath.Join(dir, "keepalived.conf")
	put(s.t, file, fmt.Sprintf(`
global_defs {
	router_id test
	vrrp_version 3
}
vrrp_instance gateway {
	interface eth0
	virtual_router_id 51
	priority %d
	advert_int %g
	virtual_ipaddress {
		192.0.2.100/24
	}
}
`, priority, calm.Seconds()))
	k := &keepalived{pid: filepath.Join(dir, "vrrp.pid")}
	k.cmd = exec.Command("ip", "netns", "exec", s.name, "keepalived", "--vrrp", "--dont-fork", "--log-console",
		"--use-file", file, "--pid", filepath.Join(dir, "pid"), "--vrrp_pid", k.pid)
	k.cmd.Stdout, k.cmd.Stderr = nil, nil
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := k.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(k.kill)
	return k
}

// kill ends keepalived without a goodbye: the process that speaks is told of the end of its parent,
// which starts it again if it ends first.
func (k *keepalived) kill() {
	if k.cmd.ProcessState != nil {
		return
	}
	k.cmd.Process.Signal(syscall.SIGSTOP)
	if b, err := os.ReadFile(k.pid); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid > 1 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	k.cmd.Process.Kill()
	k.cmd.Wait()
}

// mac returns the hardware address that the namespace has for a neighbour.
func (s *space) mac(addr string) string {
	f := strings.Fields(ip(s.t, "-n", s.name, "neigh", "show", addr, "dev", "eth0"))
	for i, w := range f {
		if w == "lladdr" {
			return f[i+1]
		}
	}
	return ""
}

func (s *space) own() string {
	f := strings.Fields(ip(s.t, "-n", s.name, "-o", "link", "show", "eth0"))
	for i, w := range f {
		if w == "link/ether" {
			return f[i+1]
		}
	}
	return ""
}

// keepalived is as it is in Debian. Each step goes on from the one before it.
func TestAKeeperAndKeepalivedShareARouter(t *testing.T) {
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Skip("needs keepalived, which is not installed")
	}
	spaces := segment(t, 3)
	other, own, client := spaces[0], spaces[1], spaces[2]
	master := other.keepalived(150)
	other.wait("keepalived owns the address", func() bool { return other.has("192.0.2.100") })
	own.run()
	o := realOrder
	o.Groups = []Group{{Name: "gateway", Priority: 100, Routers: realOrder.Groups[0].Routers[:1]}}
	o.Members = nil
	if err := own.Set(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	heard := func() int {
		st, err := own.Status(t.Context())
		g, ok := st.Group("gateway")
		if err != nil || !ok || g.Routers[0].Heard == nil {
			return -1
		}
		return int(g.Routers[0].Heard.Priority)
	}
	own.wait("it hears keepalived", func() bool { return own.state() == "backup" && heard() == 150 })

	t.Run("V45 V63 keepalived dies: the keeper takes over, and a client that knew the old owner knows the new one", func(t *testing.T) {
		ip(t, "-n", client.name, "neigh", "replace", "192.0.2.100", "lladdr", other.own(), "nud", "reachable", "dev", "eth0")
		begin := time.Now()
		master.kill()
		own.wait("it takes over", func() bool { return own.state() == "active" && own.has("192.0.2.100") })
		if took := time.Since(begin); took > 3*time.Second { // 1.44 s
			t.Errorf("the takeover took %v", took)
		}
		client.wait("the client knows the new owner", func() bool { return client.mac("192.0.2.100") == own.own() })
	})
	var better *keepalived
	t.Run("V51 V52 keepalived comes back with the better priority: the keeper yields", func(t *testing.T) {
		ip(t, "-n", other.name, "addr", "del", "192.0.2.100/24", "dev", "eth0") // its kernel kept it
		better = other.keepalived(200)
		other.wait("keepalived owns the address again", func() bool { return other.has("192.0.2.100") })
		own.wait("it has yielded", func() bool { return own.state() == "backup" && !own.has("192.0.2.100") && heard() == 200 })
	})
	t.Run("a claim takes from keepalived, whatever its priority, and it lets go by itself", func(t *testing.T) {
		if err := own.Claim(t.Context(), "gateway", 254); err != nil {
			t.Fatal(err)
		}
		other.wait("keepalived yields to the claim", func() bool { return !other.has("192.0.2.100") })
		if own.state() != "active" || !own.has("192.0.2.100") {
			t.Errorf("after the claim the keeper is %s", own.state())
		}
	})
	t.Run("V54 the keeper keeps the address from a keepalived of lower priority", func(t *testing.T) {
		better.kill()
		o.Groups[0].Epoch = 1
		if err := own.Set(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		other.keepalived(50)
		time.Sleep(3 * time.Second) // it would take over after 1.5 s
		if own.state() != "active" || other.has("192.0.2.100") {
			t.Errorf("beside a lower priority the keeper is %s; keepalived has the address: %v", own.state(), other.has("192.0.2.100"))
		}
	})
	t.Run("V14 keepalived takes what the keeper releases", func(t *testing.T) {
		if err := own.Stop(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		other.wait("keepalived takes it", func() bool { return other.has("192.0.2.100") })
		if own.has("192.0.2.100") {
			t.Error("after its end the keeper's host has the address")
		}
	})
}
