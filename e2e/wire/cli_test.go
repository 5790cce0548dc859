package wire

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func fileText(t lab.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return string(text)
}

func TestConfigurationsAreRefusedWhole(t *testing.T) {
	t.Parallel()
	w := cluster(t, 2)
	w.quiet(t)
	d := w.Directors[0]
	good := d.WriteFile("good.hcl", routerFile)
	wrong := d.WriteFile("wrong.hcl", `router "web" {
  vrid      = 300
  interface = "wan"
  addresses = ["192.168.1.1/24", "nonsense"]
  colour    = "red"
}
service "web" {
  address   = "192.168.1.1:80"
  scheduler = "fastest"
  forward   = "nat"
  server "nonsense" {}
}
`)
	for _, name := range []string{"validate", "plan", "apply"} {
		t.Run(name+" names every mistake with its place", func(t *testing.T) {
			args := []string{name, wrong}
			if name == "apply" {
				args = append(args, "--yes")
			}
			w.unchanged(t, func() {
				r := command(t, d, args...).want(t, 1)
				if r.out != "" {
					t.Errorf("standard output: %q", r.out)
				}
				for _, place := range []string{":2:", ":4:", ":5:", ":9:", ":11:"} {
					if !strings.Contains(r.err, wrong+place) {
						t.Errorf("nothing is said of %s in\n%s", place, r.err)
					}
				}
			})
		})
	}
	t.Run("services where the kernel has no IPVS", func(t *testing.T) {
		file := d.WriteFile("services.hcl", serviceFile)
		w.unchanged(t, func() {
			r := command(t, d, "apply", file, "--yes")
			if r.code == 0 && hasIPVS() {
				t.Skip("this kernel has IPVS")
			}
			r.out = "" // the plan
			r.refused(t, "no IPVS in the kernel", "modprobe ip_vs", "nothing was applied")
		})
	})
	t.Run("apply without a terminal and without --yes", func(t *testing.T) {
		w.unchanged(t, func() {
			r := command(t, d, "apply", good)
			r.has(t, `router`, "web")
			r.out = "" // the plan
			r.refused(t, "--yes")
		})
	})
	t.Run("a file that is not there", func(t *testing.T) {
		for _, name := range []string{"validate", "plan", "apply"} {
			command(t, d, name, "/nowhere.hcl").refused(t, "/nowhere.hcl", "no such file")
		}
	})
	w.AwaitReady(t, 10*time.Second)
	command(t, d, "plan", good).want(t, 2).has(t, "web")
	command(t, d, "apply", good, "--yes").want(t, 0).has(t, "revision 1")
	lab.Eventually(t, 5*time.Second, "a follower has it too", func() error {
		if r := command(t, w.Directors[1], "plan", good); r.code != 0 || !strings.Contains(r.out, "no change") {
			return errText(r.out)
		}
		return nil
	})
	command(t, d, "apply", good, "--yes").want(t, 0).has(t, "revision 1")
	shown := d.WriteFile("shown.hcl", command(t, d, "show").want(t, 0).out)
	command(t, d, "plan", shown).want(t, 0)
	command(t, d, "validate", shown, "--socket", "/nowhere").want(t, 0).has(t, "1 router,")
	w.settled(t)
	w.quiet(t)
	w.unchanged(t, func() { command(t, d, "plan", wrong).want(t, 1) })
}

func hasIPVS() bool {
	_, err := os.Stat("/proc/net/ip_vs")
	return err == nil
}

func TestUnknownCommandsAndFlags(t *testing.T) {
	t.Parallel()
	w := build(t, 1)
	d := w.Directors[0]
	for _, args := range [][]string{
		{"nonsense"}, {"status", "--nonsense"}, {"status", "extra"}, {"validate"}, {"init", "extra"}, {"join"},
		{"drain", "nonsense"}, {"token", "nonsense"}, {"drain", "director"}, {"status", "-o", "yaml"},
	} {
		r := command(t, d, args...)
		r.out = ""
		r.refused(t)
	}
	command(t, d, "status").refused(t, d.Socket(), "quorate agent", "QUORATE_SOCKET")
	command(t, d, "version").want(t, 0).has(t, "quorate", "feature level")
	command(t, d, "--help").want(t, 0).has(t, "join", "leave")
}

// TestWhatProgramsReadIsWhatWasPromised holds the output for programs against the names and types that
// they rely on.
func TestWhatProgramsReadIsWhatWasPromised(t *testing.T) {
	t.Parallel()
	w := owned(t, 3)
	d := w.Directors[1]
	var st map[string]any
	decode(t, command(t, d, "status", "-o", "json").want(t, 0).out, &st)
	kinds(t, "status", st, map[string]any{
		"leader": "", "quorum": true, "revision": 0.0, "applied_index": 0.0, "feature_level": 0.0, "state_hash": "",
		"directors": []any{}, "groups": []any{}, "services": []any{},
	})
	for _, v := range st["directors"].([]any) {
		kinds(t, "a director", v, map[string]any{"name": "", "state": "", "ready": true})
		if v.(map[string]any)["state"] != "alive" {
			t.Errorf("state %v", v)
		}
	}
	for _, v := range st["groups"].([]any) {
		kinds(t, "a group", v, map[string]any{"name": "", "owner": "", "epoch": 0.0, "named": "", "reason": ""})
	}
	if n := len(st["directors"].([]any)); n != 3 || len(st["groups"].([]any)) != 1 {
		t.Errorf("%d directors, groups %v", n, st["groups"])
	}
	if hash, _ := st["state_hash"].(string); len(hash) < 16 || strings.Trim(hash, "0123456789abcdef") != "" {
		t.Errorf("state hash %q is not hex", hash)
	}
	for _, args := range [][]string{{"members"}, {"token", "list"}, {"token", "create"}, {"show"}, {"version"}, {"plan", d.WriteFile("cluster.hcl", "")}} {
		var v any
		r := command(t, d, append(args, "-o", "json")...)
		decode(t, r.out, &v)
	}
	for line := range strings.Lines(command(t, d, "events", "-o", "json").want(t, 0).out) {
		var e map[string]any
		decode(t, line, &e)
		kinds(t, "an event", e, map[string]any{"sequence": 0.0, "time": "", "director": "", "kind": "", "text": ""})
	}

	t.Run("flags may follow arguments, and the socket may be named", func(t *testing.T) {
		plain := command(t, d, "members", "-o", "json").want(t, 0).out
		for _, argv := range [][]string{
			{binary(t), "--socket", d.Socket(), "members", "-o", "json"},
			{binary(t), "-o", "json", "members", "--socket=" + d.Socket()},
			{"env", "QUORATE_SOCKET=/nowhere", binary(t), "members", "-o", "json", "--socket", d.Socket()},
		} {
			var a, b []map[string]any
			decode(t, program(t, d.Host, argv...).want(t, 0).out, &a)
			decode(t, plain, &b)
			if len(a) != len(b) || a[0]["name"] != b[0]["name"] {
				t.Errorf("%v: %v, want %v", argv, a, b)
			}
		}
		program(t, d.Host, "env", "QUORATE_SOCKET=/nowhere", binary(t), "status").refused(t, "/nowhere")
		file := d.WriteFile("cluster.hcl", routerFile)
		command(t, d, "plan", file, "-o", "json").want(t, 0)
	})
	t.Run("status --check goes by severity", func(t *testing.T) {
		command(t, d, "status", "--check").want(t, 0)
		victim := w.others(d)[1]
		victim.Die()
		lab.Eventually(t, 10*time.Second, "the check finds the dead director", func() error {
			if r := command(t, d, "status", "--check"); r.code != 1 || !strings.Contains(r.out, victim.Name+" does not answer") {
				return errText(r.out)
			}
			return nil
		})
		command(t, d, "status").want(t, 0)
	})
}

type errText string

func (e errText) Error() string { return string(e) }

// kinds holds that an object has these fields, with values of these types.
func kinds(t *testing.T, what string, v any, want map[string]any) {
	t.Helper()
	have := fields(t, v)
	for name, kind := range want {
		if !slices.Contains(have, name) {
			t.Errorf("%s has no %s: %v", what, name, have)
			continue
		}
		if value := v.(map[string]any)[name]; typeName(value) != typeName(kind) {
			t.Errorf("%s: %s is %T (%v), want %T", what, name, value, value, kind)
		}
	}
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case float64:
		return "number"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return "null"
}

func TestTheSocketIsRootsAndItsGroups(t *testing.T) {
	t.Parallel()
	w := build(t, 1)
	d := w.Directors[0]
	d.AgentHCL = "socket_group = \"nogroup\"\n"
	d.Agent(t)
	if got := strings.TrimSpace(d.MustRun("stat", "-c", "%a %U %G", d.Socket())); got != "660 root nogroup" {
		t.Errorf("socket is %q", got)
	}
	bin := copyOf(t, d)
	as := func(uid, gid string) result {
		return program(t, d.Host, "setpriv", "--reuid="+uid, "--regid="+gid, "--clear-groups", bin, "status")
	}
	as("65534", "65534").want(t, 0).has(t, "in no cluster")
	as("65533", "65533").refused(t, "no permission", "be root, or a member of the group")
	t.Run("who may open it is a viewer", func(t *testing.T) {
		program(t, d.Host, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", bin, "init").refused(t, "this needs the role admin", "viewer")
	})
	t.Run("the data directory is root's alone", func(t *testing.T) {
		for path, mode := range map[string]string{d.DataDir(): "", filepath.Join(d.Dir, "keeper.sock"): "600"} {
			if got := strings.TrimSpace(d.MustRun("stat", "-c", "%a", path)); mode != "" && got != mode {
				t.Errorf("%s has mode %s, want %s", path, got, mode)
			}
		}
	})
}
