package keepalived

import (
	"strings"
	"testing"
	"time"
)

func TestWhatASyncDaemonSaysIsTold(t *testing.T) {
	const runs = "lvs_sync_daemon: both daemons run on every director, whoever is its owner; `sync_interface = \"eth0\"` in the agent file says where"
	for line, want := range map[string][]string{
		"lvs_sync_daemon eth0 V":                                         {"k:2: carried over with a difference: global_defs " + runs},
		"lvs_sync_daemon eth0 V id 7":                                    {"k:2: carried over with a difference: global_defs " + runs + "; their id is made of the cluster's, and not 7"},
		"lvs_sync_daemon eth0 V port 8848 ttl 1 group 224.0.0.81":        {"k:2: carried over with a difference: global_defs " + runs},
		"lvs_sync_daemon eth0 maxlen 1400 port 8850 ttl 3 group ff02::8": {"k:2: not carried over: global_defs lvs_sync_daemon: maxlen 1400, port 8850, ttl 3, group ff02::8: it is the kernel's own, as much as a packet holds, 8848, 1, 224.0.0.81"},
		"lvs_sync_daemon eth0 V\nlvs_sync_daemon eth1 port 9":            {"k:2: carried over with a difference: global_defs " + runs, "k:3: carried over: global_defs lvs_sync_daemon: nothing: it was said before, and keepalived ignores it too"},
	} {
		got, err := Import(files(map[string]string{"k": "global_defs {\n" + line + "\n}\n"}), []Input{{"k", "k"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range want {
			if said := report(got); !strings.Contains(said, one+"\n") {
				t.Errorf("%s: %q is not said:\n%s", line, one, said)
			}
		}
	}
}

// TestALineHasOneFate is of values that keepalived 2.2.7 does not take, and of what is said of a line in two places.
func TestALineHasOneFate(t *testing.T) {
	for line, want := range map[string]string{
		"priority 300":             `k:2: not carried over: vrrp_instance priority: "300" is not a number from 1 to 255`,
		"priority 0":               `k:2: not carried over: vrrp_instance priority: "0" is not a number from 1 to 255`,
		"advert_int 300":           "k:2: not carried over: vrrp_instance advert_int: 5m0s: keepalived ignores what is not from 0.01 to 255 s",
		"advert_int 0":             "k:2: not carried over: vrrp_instance advert_int: 0s: keepalived ignores what is not from 0.01 to 255 s",
		"advert_int 1.5":           "k:2: carried over with a difference: vrrp_instance advert_int: 2s: VRRP version 2 has 1s to 4m15s in steps of 1s",
		"notify_master \"a; b\" u": "k:2: carried over with a difference: vrrp_instance notify_master: `hook`; it is run again until it succeeds, one at a time\nk:2: carried over with a difference: vrrp_instance notify_master: a shell runs it: it is no absolute path, or has more in it than words",
	} {
		got, err := Import(files(map[string]string{"k": "vrrp_instance V {\n" + line + "\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress {\n192.0.2.1/24\n}\n}\n"}), []Input{{"k", "k"}})
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, n := range got.Notes {
			if n.Said(Place{File: "k", Line: 2}) {
				said = append(said, n.String())
			}
		}
		if all := strings.Join(said, "\n"); all != want {
			t.Errorf("%s: got\n%s\nwant\n%s", line, all, want)
		}
		if r := got.Config.Routers["V"]; strings.HasPrefix(want, "k:2: not carried over: vrrp_instance advert_int") && r.Interval != time.Second {
			t.Errorf("%s: the interval is %s", line, r.Interval)
		}
	}
}

// TestABlockWithNothingInItHasOneFate is of blocks that come to nothing.
func TestABlockWithNothingInItHasOneFate(t *testing.T) {
	for _, text := range []string{"vrrp_instance V", "vrrp_instance V {\n}", "vrrp_sync_group G", "virtual_server 192.0.2.1 80 {\n}", "vrrp_script s {\n}", "vrrp_track_process p"} {
		if r := imports(t, text+"\n"); len(said(r, "a:1: not carried over")) != 1 {
			t.Errorf("%q: it says\n%s", text, report(r))
		}
	}
}
