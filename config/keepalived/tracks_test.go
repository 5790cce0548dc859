package keepalived

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

// tracking imports a file whose instance tracks what it defines.
func tracking(t *testing.T, defines, tracks string) (fsm.Config, string) {
	t.Helper()
	text := defines + "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 192.0.2.1/24\n }\n" + tracks + "}\n"
	got, err := Import(files(map[string]string{"k": text}), []Input{{"k", "k"}})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, got)
	return got.Config, report(got)
}

// TestAProcessThatMustNotRun is of quorum_max 0, with which none is well, and one is not.
func TestAProcessThatMustNotRun(t *testing.T) {
	for name, c := range map[string]struct {
		define, use string
		want        fsm.Use
	}{
		"required":       {"", "", fsm.Use{Track: "p", Require: true, Reverse: true}},
		"weighed":        {" weight 10\n", "", fsm.Use{Track: "p", Score: 10, Reverse: true}},
		"reversed":       {" weight 10 reverse\n", "", fsm.Use{Track: "p", Score: 10}},
		"where used":     {"", " weight 10 reverse", fsm.Use{Track: "p", Score: 10}},
		"not where used": {" weight 10 reverse\n", " noreverse", fsm.Use{Track: "p", Score: 10, Reverse: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got, said := tracking(t, "vrrp_track_process p {\n process other\n quorum_max 0\n"+c.define+"}\n", "track_process {\n p"+c.use+"\n}\n")
			if diff := cmp.Diff([]fsm.Use{c.want}, got.Routers["V"].Needs.Uses); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, said)
			}
			if p := got.Tracks["p"]; p.AtLeast > 1 || p.AtMost != 0 {
				t.Errorf("%d to %d processes, want one to pass", p.AtLeast, p.AtMost)
			}
		})
	}
}

func TestALinkWithOneDelayIsUpAtOnce(t *testing.T) {
	for delays, want := range map[string]fsm.Track{
		"3":   {DownDelay: 3 * time.Second},
		"3 0": {DownDelay: 3 * time.Second},
		"2 4": {DownDelay: 2 * time.Second, UpDelay: 4 * time.Second},
	} {
		t.Run(delays, func(t *testing.T) {
			got, said := tracking(t, "interface_up_down_delays {\n eth5 "+delays+"\n}\n", "track_interface {\n eth5\n}\n")
			link := got.Tracks["eth5"]
			if diff := cmp.Diff(want, fsm.Track{DownDelay: link.DownDelay, UpDelay: link.UpDelay}); diff != "" {
				t.Errorf("(-want +got):\n%s\n%s", diff, said)
			}
			const told = "k:2: carried over: interface_up_down_delays: eth5 counts as up at once: keepalived's program has it so where no up_delay is said, whatever its manual says\n"
			if strings.Contains(said, told) != (delays == "3") {
				t.Errorf("%s", said)
			}
		})
	}
}

// TestWeightsDoNotCountForTheOwnerOfTheAddresses imports two hosts, in either order, one of which has priority 255.
func TestWeightsDoNotCountForTheOwnerOfTheAddresses(t *testing.T) {
	file := func(priority string) string {
		return "vrrp_script s {\n script /bin/true\n weight -200\n}\nvrrp_script n {\n script /bin/false\n}\n" +
			"vrrp_instance V {\n interface eth0\n virtual_router_id 1\n priority " + priority +
			"\n virtual_ipaddress {\n 192.0.2.1/24\n }\n track_script {\n s\n n\n }\n}\n"
	}
	for _, order := range [][]Input{{{"owner", "o"}, {"other", "x"}}, {{"other", "x"}, {"owner", "o"}}} {
		got, err := Import(files(map[string]string{"owner": file("255"), "other": file("100")}), order)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, got)
		if diff := cmp.Diff([]fsm.Use{{Track: "n", Require: true}}, got.Config.Routers["V"].Needs.Uses); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, report(got))
		}
		for _, want := range []string{
			"owner:16: carried over: vrrp_instance track_script: nothing: weights do not count for the owner of the addresses, as in keepalived\n",
			"other:16: carried over: vrrp_instance track_script: nothing: the owner of the addresses has them whenever it can, and there is no third host to choose\n",
		} {
			if said := report(got); !strings.Contains(said, want) {
				t.Errorf("%q is not said:\n%s", want, said)
			}
		}
	}
}

// TestWeightsOfASyncGroupWithAnOwner is of what the group itself tracks, which counts as required on the host with 255.
func TestWeightsOfASyncGroupWithAnOwner(t *testing.T) {
	text := strings.Replace(ofGroupFile("track_script {\n s weight 9\n}\n", "", ""), "virtual_router_id 1\n", "virtual_router_id 1\n priority 255\n", 1)
	group, v, w, said := needsOf(t, text)
	if diff := cmp.Diff([]fsm.Use{{Track: "s", Require: true}}, group); diff != "" || len(v)+len(w) > 0 {
		t.Errorf("V has %+v, W %+v, the group (-want +got):\n%s\n%s", v, w, diff, said)
	}
}
