package keepalived

import (
	"slices"
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

func TestWhatKeepalivedIgnoresIsNotCarriedOver(t *testing.T) {
	const instance, end = "vrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n  192.0.2.1/24\n }\n", "}\n"
	const script = "vrrp_script s {\n script /bin/true\n}\n"
	for name, c := range map[string]struct {
		text  string
		uses  []fsm.Use
		hooks int
		told  string
	}{
		"a script that is defined behind": {instance + " track_script {\n  s\n }\n" + end + script, nil, 0, "k:8: not carried over: vrrp_instance track_script: no script s is defined before it, and keepalived ignores it"},
		"a file that is not defined":      {instance + " track_file {\n  f\n }\n" + end, nil, 0, "k:8: not carried over: vrrp_instance track_file: no file f is defined before it, and keepalived ignores it"},
		"a process that is defined behind": {instance + " track_process {\n  p\n }\n" + end + "vrrp_track_process p {\n process nginx\n}\n", nil, 0,
			"k:8: not carried over: vrrp_instance track_process: no process p is defined before it, and keepalived ignores it"},
		"a script twice": {script + instance + " track_script {\n  s weight 5\n  s\n }\n" + end, []fsm.Use{{Track: "s", Score: 5}}, 0,
			"k:12: not carried over: vrrp_instance track_script: s is tracked already, and keepalived takes the first"},
		"a script in two lists": {script + instance + " track_script {\n  s\n }\n track_script {\n  s weight 5\n }\n" + end, []fsm.Use{{Track: "s", Require: true}}, 0,
			"k:14: not carried over: vrrp_instance track_script: s is tracked already, and keepalived takes the first"},
		"an interface twice": {instance + " track_interface {\n  eth9\n  eth9 weight 5\n }\n" + end, []fsm.Use{{Track: "eth9", Require: true}}, 0,
			"k:9: not carried over: vrrp_instance track_interface: eth9 is tracked already, and keepalived takes the first"},
		"a notify_master twice": {instance + " notify_master /a.sh\n notify_master /b.sh\n notify_backup /a.sh\n" + end, nil, 2,
			"k:8: not carried over: vrrp_instance notify_master: keepalived takes the first"},
		"a notify twice": {instance + " notify /a.sh\n notify /b.sh\n notify_master /c.sh\n" + end, nil, 5, "k:8: not carried over: vrrp_instance notify: keepalived takes the first"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Import(files(map[string]string{"k": c.text}), []Input{{"k", "k"}})
			if err != nil {
				t.Fatal(err)
			}
			holds(t, got)
			n := got.Config.Routers["V"].Needs
			if !slices.Equal(n.Uses, c.uses) || len(n.Hooks) != c.hooks {
				t.Errorf("V has %+v and %d hooks", n.Uses, len(n.Hooks))
			}
			if len(said(got, c.told)) != 1 {
				t.Errorf("it does not say %q:\n%s", c.told, report(got))
			}
		})
	}
}

func TestProcessesAreKnownAsKeepalivedKnowsThem(t *testing.T) {
	for text, c := range map[string]struct {
		name string
		line []string
		told string // of line 2, if it is not as it was
	}{
		"process nginx":                          {"nginx", nil, ""},
		"process nginx -c /x":                    {"", []string{"nginx", "-c", "/x"}, ""},
		"process /usr/sbin/nginx -c /x":          {"", []string{"/usr/sbin/nginx", "-c", "/x"}, ""},
		"process nginx -c /x\n full_command":     {"", []string{"nginx", "-c", "/x"}, ""},
		`process nginx "a b"`:                    {"", []string{"nginx", "a b"}, ""},
		"process nginx\n param_match":            {"", []string{"nginx"}, ""},
		"process /usr/sbin/nginx":                {"nginx", nil, "`process = \"nginx\"`: keepalived looks for a program that is called all of that, path and all, and finds none"},
		"process /usr/sbin/nginx\n full_command": {"nginx", nil, "`process = \"nginx\"`: keepalived wants /usr/sbin/nginx first on the command line, with whatever behind it"},
		"process nginx\n full_command":           {"nginx", nil, "`process = \"nginx\"`: keepalived wants nginx first on the command line, with whatever behind it"},
		"process nginx\n process apache2":        {"nginx", nil, ""},
	} {
		t.Run(text, func(t *testing.T) {
			file := "vrrp_track_process p {\n " + text + "\n}\nvrrp_instance V {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n  192.0.2.1/24\n }\n track_process {\n  p\n }\n}\n"
			r := imports(t, file)
			p := r.Config.Tracks["p"]
			if p.Process != c.name || !slices.Equal(p.CommandLine, c.line) {
				t.Errorf("it is process %q, command line %q\n%s", p.Process, p.CommandLine, report(r))
			}
			lines := said(r, "a:2: carried over with a difference: vrrp_track_process process: ", c.told)
			if (len(lines) > 0) != (c.told != "") {
				t.Errorf("it says %q:\n%s", lines, report(r))
			}
			if again := said(r, "a:3: not carried over"); (len(again) > 0) != strings.Contains(text, "apache2") {
				t.Errorf("it says %q", again)
			}
		})
	}
}

func TestNamesThatChangeAreTold(t *testing.T) {
	group := "vrrp_sync_group \"a group\" {\n group {\n  \"a.b/c d\"\n }\n}\n"
	script := "vrrp_script \"is it\" {\n script /bin/true\n}\n"
	long := strings.Repeat("long", 20)
	r := imports(t, script+fileOf(group,
		routed{"äöü", "eth0", 3, " track_script {\n  \"is it\"\n }\n", []string{"10.0.0.3"}}, routed{"\"a.b/c d\"", "eth0", 4, "", []string{"10.0.0.4"}},
		routed{"a.b-c-d", "eth0", 5, "", []string{"10.0.0.5"}}, routed{long, "eth0", 6, "", []string{"10.0.0.6"}}, routed{"V", "eth0", 7, "", []string{"10.0.0.7"}}))
	for _, words := range [][]string{
		{"a:1: carried over with a difference: vrrp_script: it is called is-it"},
		{"a:4: carried over with a difference: vrrp_instance: it is called unnamed: "},
		{"a:14: carried over with a difference: vrrp_instance: it is called a.b-c-d: "},
		{"a:21: carried over with a difference: vrrp_instance: it is called a.b-c-d-2: "},
		{"a:28: carried over with a difference: vrrp_instance: it is called " + long[:56] + ": "},
		{"carried over with a difference: vrrp_sync_group: it is called a-group: "},
	} {
		if len(said(r, words...)) != 1 {
			t.Errorf("no line has %q, or several have", words)
		}
	}
	if all := said(r, "it is called"); len(all) != 6 {
		t.Errorf("it says %q", all)
	}
}

func TestTheNameOfADirectorThatChangesIsTold(t *testing.T) {
	file := func(id string) string {
		return "global_defs {\n router_id " + id + "\n}\n" + fileOf("", routed{"V", "eth0", 7, "", []string{"10.0.0.7"}})
	}
	read := files(map[string]string{"a": file(`"lb 1"`), "b": file("lb2"), "c": file("lb2")})
	r, err := Import(read, []Input{{"a", ""}, {"b", ""}, {"c", ""}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Hosts, []string{"lb-1", "lb2", "lb2-2"}) {
		t.Errorf("the hosts are %q", r.Hosts)
	}
	if got := said(r, "a:2: carried over with a difference: global_defs router_id: the director is called lb-1"); len(got) != 1 {
		t.Errorf("a's name is not told: %s", report(r))
	}
	if got := said(r, "c:2: carried over with a difference: global_defs router_id: the director is called lb2-2"); len(got) != 1 || len(said(r, "is called")) != 2 {
		t.Errorf("c's name is not told, or b's is: %s", report(r))
	}
}

func TestTheGroupOfANotifyIsTold(t *testing.T) {
	r := imports(t, fileOf("", routed{"V", "eth0", 7, " notify_stop \"/bin/stop.sh\" root wheel\n notify /bin/n.sh root\n", []string{"10.0.0.7"}}))
	if all := said(r, "a:4: carried over with a difference: vrrp_instance notify_stop: `user`; the group wheel is not said"); len(all) != 1 || len(said(r, "the group")) != 1 {
		t.Errorf("it says:\n%s", report(r))
	}
}
