package keepalived

import (
	"strings"
	"testing"
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
