package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func host() (string, error) { return "lb7.example.com", nil }

func TestAnAgentFileNeedsAnAddressAndNothingElse(t *testing.T) {
	a, problems := parseAgent("agent.hcl", []byte(`bind = "192.0.2.1"`), host)
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	want := Agent{
		Name: "lb7", DataDir: "/var/lib/quorate",
		Bind: netip.MustParseAddrPort("192.0.2.1:7400"), Gossip: netip.MustParseAddrPort("192.0.2.1:7401"),
		Socket: "/run/quorate/quorate.sock", SocketGroup: "quorate", KeeperSocket: "/run/quorate/keeper.sock",
		Role: fsm.RoleDirector, Prepare: true, LogLevel: "info", Heartbeat: 500 * time.Millisecond, Liveness: 100 * time.Millisecond, RaiseLevel: 24 * time.Hour,
	}
	if diff := cmp.Diff(want, a, byValue); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := a.Interface("eth0"); got != "eth0" {
		t.Errorf("an interface that is not mapped is %q, want itself", got)
	}
}

func TestAFullAgentFile(t *testing.T) {
	a, problems := ParseAgent("agent.hcl", testdata(t, "agent.hcl"))
	if len(problems) > 0 {
		t.Fatalf("problems:\n%s", problems)
	}
	want := Agent{
		Name: "lb1", DataDir: "/srv/quorate",
		Bind: netip.MustParseAddrPort("[2001:db8::1]:7500"), Gossip: netip.MustParseAddrPort("192.0.2.1:7501"),
		Socket: "/run/q/q.sock", SocketGroup: "wheel", OperatorGroup: "lb-operators", AdminGroup: "lb-admins", KeeperSocket: "/run/q/k.sock",
		Role: fsm.RoleWitness, Interfaces: map[string]string{"wan": "eth0", "lan": "eth1.100"},
		SyncInterface: "lan", LogLevel: "debug", Heartbeat: time.Second, Liveness: 200 * time.Millisecond, RaiseLevel: Never,
		Join: &Join{Address: netip.MustParseAddrPort("192.0.2.2:7400"), TokenFile: "/etc/quorate/token"},
	}
	if diff := cmp.Diff(want, a, byValue); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := a.Interface("lan"); got != "eth1.100" {
		t.Errorf("lan is %q", got)
	}
}

func TestEveryMistakeInAnAgentFileIsSaidAtOnce(t *testing.T) {
	a, problems := ParseAgent("agent.hcl", testdata(t, "agent-mistakes.hcl"))
	if problems.Err() == nil || !cmp.Equal(a, Agent{}, byValue) {
		t.Errorf("got %+v, %v", a, problems.Err())
	}
	golden(t, "agent-mistakes.txt", []byte(problems.String()))
}

func TestAHostWithoutANameMustBeGivenOne(t *testing.T) {
	_, problems := parseAgent("agent.hcl", []byte(`bind = "192.0.2.1"`), func() (string, error) { return "", errors.New("none") })
	want := "agent.hcl: error: no name, and the host has none: none (add name = \"lb1\")\n"
	if problems.String() != want {
		t.Errorf("got %s want %s", problems, want)
	}
}

// formatAgent writes an agent so that ParseAgent reads the same.
func formatAgent(a Agent) []byte {
	var b strings.Builder
	for _, kv := range []struct{ key, value string }{
		{"name", a.Name}, {"data_dir", a.DataDir}, {"bind", a.Bind.String()}, {"gossip", a.Gossip.String()},
		{"socket", a.Socket}, {"socket_group", a.SocketGroup}, {"operator_group", a.OperatorGroup}, {"admin_group", a.AdminGroup}, {"keeper_socket", a.KeeperSocket},
		{"role", string(a.Role)}, {"sync_interface", a.SyncInterface}, {"log_level", a.LogLevel}, {"heartbeat", a.Heartbeat.String()}, {"liveness", a.Liveness.String()}, {"raise_level_after", patience(a.RaiseLevel)},
	} {
		fmt.Fprintf(&b, "%s = %s\n", kv.key, quote(kv.value))
	}
	fmt.Fprintf(&b, "prepare_host = %t\n", a.Prepare)
	if len(a.Interfaces) > 0 {
		// as JSON's keys, interface names need not be identifiers; here they must be
		b.WriteString("interfaces {\n")
		for logical, kernel := range sorted(a.Interfaces) {
			fmt.Fprintf(&b, "%s = %s\n", logical, quote(kernel))
		}
		b.WriteString("}\n")
	}
	if j := a.Join; j != nil {
		fmt.Fprintf(&b, "join {\naddress = %q\n", j.Address)
		if j.Token != "" {
			fmt.Fprintf(&b, "token = %s\n", quote(j.Token))
		} else {
			fmt.Fprintf(&b, "token_file = %s\n", quote(j.TokenFile))
		}
		b.WriteString("}\n")
	}
	return []byte(b.String())
}

func patience(d time.Duration) string {
	if d == Never {
		return "never"
	}
	return d.String()
}

// FuzzParseAgent holds that nothing panics, and that what parses is parsed alike when written anew.
func FuzzParseAgent(f *testing.F) {
	f.Add(testdata(f, "agent.hcl"))
	f.Add(testdata(f, "agent-mistakes.hcl"))
	f.Add([]byte(`bind = "192.0.2.1"`))
	f.Fuzz(func(t *testing.T, src []byte) {
		_, _ = parseAgent("agent.json", src, host)
		a, problems := parseAgent("agent.hcl", src, host)
		if problems.Err() != nil {
			return
		}
		again, problems := parseAgent("agent.hcl", formatAgent(a), host)
		if diff := cmp.Diff(a, again, byValue); diff != "" || problems.Err() != nil {
			t.Fatalf("%s\n%v\n%s", formatAgent(a), problems.Err(), diff)
		}
	})
}
