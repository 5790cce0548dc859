package keepalived

import (
	"strings"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// ofGroupFile has two instances on eth0 and eth1 in a sync group, and what each of the three says besides.
func ofGroupFile(group, v, w string) string {
	return `
vrrp_script s {
    script /bin/true
}
track_file f {
    file /run/f
}
vrrp_instance V {
    interface eth0
    virtual_router_id 1
    virtual_ipaddress {
        192.0.2.1/24
    }
` + v + `}
vrrp_instance W {
    interface eth1
    virtual_router_id 2
    virtual_ipaddress {
        198.51.100.1/24
    }
` + w + `}
vrrp_sync_group G {
    group {
        V
        W
    }
` + group + `}
`
}

// needsOf says what V, W and their group G go by.
func needsOf(t *testing.T, text string) (group, v, w []fsm.Use, said string) {
	t.Helper()
	got, err := Import(files(map[string]string{"k": text}), []Input{{"k", "k"}})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, got)
	c := got.Config
	return c.SyncGroups["G"].Needs.Uses, c.Routers["V"].Needs.Uses, c.Routers["W"].Needs.Uses, report(got)
}

func TestWhatAMemberRequiresItsGroupDoesNotSoften(t *testing.T) {
	const weighs = "sync_group_tracking_weight\n"
	script := func(more string) string { return "track_script {\n s " + more + "\n}\n" }
	iface := func(more string) string { return "track_interface {\n eth9 " + more + "\n}\n" }
	file := func(more string) string { return "track_file {\n f " + more + "\n}\n" }
	for name, c := range map[string]struct {
		group, member string
		requires      bool // the member; else what the group says is all
	}{
		"unweighted":                             {script("weight 9"), script("weight 0"), true},
		"unweighted, weights kept":               {weighs + script("weight 9"), script("weight 0"), true},
		"weighted":                               {script("weight 9"), script("weight 7"), false},
		"weighted, weights kept":                 {weighs + script("weight 9"), script("weight 7"), false},
		"an interface whose weight is taken":     {iface("weight 9"), iface("weight 7"), true},
		"an interface whose weight is kept":      {weighs + iface("weight 9"), iface("weight 7"), false},
		"a file whose weight is the default one": {file("weight 9"), file(""), true},
		"a file with a weight":                   {file("weight 9"), file("weight 7"), false},
	} {
		t.Run(name, func(t *testing.T) {
			group, v, w, said := needsOf(t, ofGroupFile(c.group, c.member, ""))
			if len(group) != 1 || group[0].Require || group[0].Score != 9 || len(w) != 0 {
				t.Errorf("the group has %+v, W has %+v: it has a preference, W nothing", group, w)
			}
			if requires := len(v) == 1 && v[0].Require; requires != c.requires || !c.requires && len(v) > 0 {
				t.Errorf("V has %+v, and requires is to be %v", v, c.requires)
			}
			if told := strings.Contains(said, "what its sync group says of"); told == c.requires {
				t.Errorf("that its group counts is said: %v\n%s", told, said)
			}
		})
	}
}

func TestAWeightOfAllInstancesCountsOnceWhicheverComesFirst(t *testing.T) {
	const script, iface = "track_script {\n s weight 9\n}\n", "track_interface {\n eth0 weight -9\n}\n"
	incomplete := func(tracks string) string { // before V and W, and in their group
		return "vrrp_instance U {\n interface eth3\n" + tracks + "}\n"
	}
	inGroup := func(text string) string { return strings.Replace(text, "group {\n", "group {\n U\n", 1) }
	weighs := "sync_group_tracking_weight\n"
	for name, c := range map[string]struct {
		text string
		v, w int
	}{
		"the first":                    {ofGroupFile(weighs, script, script), 9, 0},
		"an incomplete one before":     {inGroup(incomplete(script) + ofGroupFile(weighs, script, script)), 9, 0},
		"one that does not track it":   {inGroup(incomplete("") + ofGroupFile(weighs, script, script)), 9, 0},
		"one on that interface before": {ofGroupFile(weighs, iface, iface), 0, -9},
		"by the old name":              {ofGroupFile("global_tracking\n", script, script), 9, 0},
		"of a process, whatever the group says": {
			"vrrp_track_process p {\n process x\n}\n" + ofGroupFile("", "track_process {\n p weight 9\n}\n", "track_process {\n p weight 9\n}\n"), 9, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			group, v, w, said := needsOf(t, c.text)
			score := func(uses []fsm.Use) (n int) {
				for _, u := range uses {
					n += u.Score
				}
				return n
			}
			if len(group) != 0 || len(v)+len(w) != 1 || score(v) != c.v || score(w) != c.w {
				t.Errorf("the group has %+v, V %+v, W %+v; scores of %d and %d are wanted\n%s", group, v, w, c.v, c.w, said)
			}
		})
	}
}
