package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func names(needs []Need) []string {
	var out []string
	for _, n := range needs {
		name := n.Kind + " " + n.Name
		if n.Kind == Sysctl {
			name += "=" + n.Value
		}
		out = append(out, name)
	}
	return out
}

func TestNeeds(t *testing.T) {
	ipvs := []string{"module ip_vs", "sysctl net.ipv4.vs.expire_nodest_conn=1", "sysctl net.ipv4.vs.expire_quiescent_template=1"}
	for _, tt := range []struct {
		name string
		f    Features
		want []string
	}{
		{"nothing", Features{}, nil},
		{"services only", Features{IPVS: true}, ipvs},
		{"tunnels and sync need no more", Features{IPVS: true, Tunnel: true, Sync: true}, ipvs},
		{
			"schedulers come once, sorted, after IPVS and before settings", Features{IPVS: true, Schedulers: []string{"wrr", "rr", "wrr"}},
			[]string{ipvs[0], "module ip_vs_rr", "module ip_vs_wrr", ipvs[1], ipvs[2]},
		},
		{"routers without services", Features{Routers: []string{"eth0.100"}}, []string{"sysctl net.ipv4.conf.eth0/100.promote_secondaries=1"}},
		{"services by direct routing do not forward", Features{IPVS: true, IPv6: true, Routers: []string{"eth0"}}, append(ipvs[:3:3], "sysctl net.ipv4.conf.eth0.promote_secondaries=1")},
		{
			"NAT", Features{IPVS: true, NAT: true, Routers: []string{"eth1", "eth0"}},
			append(
				ipvs[:3:3], "sysctl net.ipv4.ip_forward=1", "sysctl net.ipv4.conf.all.send_redirects=0",
				"sysctl net.ipv4.conf.eth0.promote_secondaries=1", "sysctl net.ipv4.conf.eth0.send_redirects=0",
				"sysctl net.ipv4.conf.eth1.promote_secondaries=1", "sysctl net.ipv4.conf.eth1.send_redirects=0",
			),
		},
		{
			"NAT with IPv6", Features{IPVS: true, NAT: true, IPv6: true},
			append(ipvs[:3:3], "sysctl net.ipv4.ip_forward=1", "sysctl net.ipv6.conf.all.forwarding=1", "sysctl net.ipv4.conf.all.send_redirects=0"),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			needs := Needs(tt.f)
			if diff := cmp.Diff(tt.want, names(needs)); diff != "" {
				t.Errorf("Needs (-want +got):\n%s", diff)
			}
			for _, n := range needs {
				if n.Why == "" {
					t.Errorf("%s has no reason", n.Name)
				}
			}
		})
	}
}

// tree makes files below a new folder. A name that ends with a slash is a folder.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		dir := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			dir = path
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if dir == path {
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// program writes a shell script that stands for modprobe.
func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "modprobe")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func states(results []Result) map[string]State {
	out := map[string]State{}
	for _, r := range results {
		out[r.Name] = r.State
	}
	return out
}

var someNeeds = []Need{
	{Module, "ip_vs", "", "x"},
	{Module, "ip_vs_rr", "", "x"},
	{Module, "ip_vs_wrr", "", "x"},
	{Sysctl, "net.ipv4.ip_forward", "1", "x"},
	{Sysctl, "net.ipv4.conf.eth0/100.promote_secondaries", "1", "x"},
	{Sysctl, "net.ipv4.vs.expire_nodest_conn", "1", "x"},
}

func someTree(t *testing.T) string {
	return tree(t, map[string]string{
		"proc/sys/kernel/osrelease":                            "6.1.0\n",
		"lib/modules/6.1.0/modules.builtin":                    "kernel/net/netfilter/ipvs/ip_vs-rr.ko\n",
		"sys/module/":                                          "",
		"proc/sys/net/ipv4/ip_forward":                         "1\n",
		"proc/sys/net/ipv4/conf/eth0.100/promote_secondaries":  "0\n",
		"proc/sys/net/ipv4/conf/all/promote_secondaries":       "0\n",
		"proc/sys/net/ipv4/conf/default/promote_secondaries":   "0\n",
		"proc/sys/net/ipv4/conf/eth0/100/promote_secondaries/": "",
	})
}

func TestEnsureMeetsWhatItCanAndNamesTheRest(t *testing.T) {
	root := someTree(t)
	modprobe := program(t, `test "$1" = -- || exit 3
test "$2" = ip_vs && exec mkdir `+root+`/sys/module/ip_vs
echo "module $2 not found" >&2; exit 1`)
	h := New(Config{Root: root, Modprobe: modprobe})
	results := h.Ensure(someNeeds)
	want := map[string]State{
		"ip_vs": Loaded, "ip_vs_rr": WasSet, "ip_vs_wrr": Missing, "net.ipv4.ip_forward": WasSet,
		"net.ipv4.conf.eth0/100.promote_secondaries": SetNow, "net.ipv4.vs.expire_nodest_conn": Missing,
	}
	if diff := cmp.Diff(want, states(results)); diff != "" {
		t.Errorf("Ensure (-want +got):\n%s", diff)
	}
	for _, r := range results {
		if (r.Err != nil) != (r.State == Missing) {
			t.Errorf("%s is %s with error %v", r.Name, r.State, r.Err)
		}
	}
	if err := results[2].Err; !strings.Contains(err.Error(), "module ip_vs_wrr not found") {
		t.Errorf("the error is %v, want what modprobe said", err)
	}
	if got := read(t, root, "proc/sys/net/ipv4/conf/eth0.100/promote_secondaries"); got != "1" {
		t.Errorf("the setting is %s, want 1", got)
	}
	if got := read(t, root, "proc/sys/net/ipv4/conf/all/promote_secondaries"); got != "0" {
		t.Errorf("the setting of another interface is %s, want it left alone", got)
	}
	want["ip_vs"], want["net.ipv4.conf.eth0/100.promote_secondaries"] = WasSet, WasSet
	if diff := cmp.Diff(want, states(h.Ensure(someNeeds))); diff != "" {
		t.Errorf("Ensure again (-want +got):\n%s", diff)
	}
}

func TestAReadOnlyHostOnlySaysWhatIsMissingAndTheCommand(t *testing.T) {
	root := someTree(t)
	called := filepath.Join(t.TempDir(), "called")
	h := New(Config{Root: root, ReadOnly: true, Modprobe: program(t, "touch "+called)})
	var said []string
	for _, r := range h.Ensure(someNeeds) {
		if r.Err != nil {
			said = append(said, r.Err.Error())
		}
	}
	want := []string{
		"module ip_vs: not loaded: run `modprobe ip_vs`",
		"module ip_vs_wrr: not loaded: run `modprobe ip_vs_wrr`",
		"sysctl net.ipv4.conf.eth0/100.promote_secondaries: is 0, and must be 1: run `sysctl -w net.ipv4.conf.eth0/100.promote_secondaries=1`",
		"sysctl net.ipv4.vs.expire_nodest_conn: the kernel has no such setting; is IPVS loaded (`modprobe ip_vs`)?",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("Ensure (-want +got):\n%s", diff)
	}
	if got := len(New(Config{Root: root}).Missing(someNeeds)); got != len(want) {
		t.Errorf("Missing returns %d, want %d", got, len(want))
	}
	if got := read(t, root, "proc/sys/net/ipv4/conf/eth0.100/promote_secondaries"); got != "0" {
		t.Errorf("the setting is %s, want it untouched", got)
	}
	if _, err := os.Stat(called); err == nil {
		t.Error("modprobe was called")
	}
}

func TestAKernelWithIPVSBuiltInNeedsNoModprobe(t *testing.T) {
	h := New(Config{Root: tree(t, map[string]string{"proc/net/ip_vs": "IP Virtual Server\n"}), Modprobe: "/nowhere/modprobe"})
	if !h.HasIPVS() {
		t.Error("HasIPVS is false")
	}
	if r := h.Ensure(someNeeds[:1])[0]; r.State != WasSet {
		t.Errorf("ip_vs is %s: %v", r.State, r.Err)
	}
	if h := New(Config{Root: t.TempDir()}); h.HasIPVS() {
		t.Error("HasIPVS is true where there is none")
	}
}

func TestAModprobeThatHangsIsGivenUp(t *testing.T) {
	h := New(Config{Root: t.TempDir(), Modprobe: program(t, "sleep 30 & sleep 30"), Deadline: 200 * time.Millisecond})
	start := time.Now()
	r := h.Ensure(someNeeds[:1])[0]
	if !errors.Is(r.Err, os.ErrDeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("after %v: %v, want a deadline exceeded", time.Since(start), r.Err)
	}
}

func TestNamesDoNotLeaveTheirFolderOrBecomeOptions(t *testing.T) {
	root := tree(t, map[string]string{"proc/secret": "0\n", "proc/sys/net/x": "0\n"})
	called := filepath.Join(t.TempDir(), "called")
	h := New(Config{Root: root, Modprobe: program(t, "touch "+called)})
	for _, n := range []Need{
		{Kind: Sysctl, Name: "//.secret", Value: "1"},
		{Kind: Sysctl, Name: "net.//.//.secret", Value: "1"},
		{Kind: Sysctl, Name: ".proc.secret", Value: "1"},
		{Kind: Sysctl, Name: "", Value: "1"},
		{Kind: Module, Name: "-r"},
		{Kind: Module, Name: ""},
		{Kind: Module, Name: "../x"},
		{Kind: "file", Name: "x"},
	} {
		if r := h.Ensure([]Need{n})[0]; r.State != Missing || r.Err == nil {
			t.Errorf("%s %q: %s, %v; want it refused", n.Kind, n.Name, r.State, r.Err)
		}
	}
	if got := read(t, root, "proc/secret"); got != "0" {
		t.Errorf("a file outside is %s now", got)
	}
	if _, err := os.Stat(called); err == nil {
		t.Error("modprobe was called")
	}
}

func TestASettingThatTheKernelDoesNotTakeIsMissing(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc/sys/net"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "proc/sys/net/x")); err != nil { // takes all, keeps nothing
		t.Fatal(err)
	}
	r := New(Config{Root: root}).Ensure([]Need{{Kind: Sysctl, Name: "net.x", Value: "1"}})[0]
	if r.State != Missing || !errors.Is(r.Err, errNotTaken) {
		t.Errorf("%s, %v; want it missing", r.State, r.Err)
	}
}
