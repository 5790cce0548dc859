package track

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAStandingIsMadeOfAllUses(t *testing.T) {
	t.Parallel()
	results := map[string]Result{
		"lan":   {Kind: Interface, State: Passing},
		"wan":   {Kind: Interface, State: Failing, Reason: "interface eth0 has no carrier"},
		"late":  {Kind: Script, State: Unknown},
		"db":    {Kind: Script, State: Failing, Reason: "exit status 1"},
		"load":  {Kind: File, State: Failing, Value: 6, Reason: "/run/load holds 6"},
		"bonus": {Kind: File, State: Failing, Value: -6, Reason: "/run/load holds -6"},
		"idle":  {Kind: File, State: Passing},
		"huge":  {Kind: File, State: Failing, Value: math.MaxInt, Reason: "holds much"},
		"gone":  {Kind: File, State: Failing, Fault: true, Reason: "/run/x: no such file or directory"},
		"proxy": {Kind: Process, State: Failing, Reason: "0 run"},
	}
	for _, tt := range []struct {
		name string
		uses []Use
		want Standing
	}{
		{"nothing is asked", nil, Standing{Fit: true, Known: true}},
		{"what is required passes", []Use{{Track: "lan", Require: true}}, Standing{Fit: true, Known: true}},
		{"what is required fails", []Use{{Track: "lan", Require: true}, {Track: "wan", Require: true}},
			Standing{Known: true, Reasons: []string{`track "wan": interface eth0 has no carrier`}}},
		{"what is required must fail", []Use{{Track: "lan", Require: true, Reverse: true}, {Track: "wan", Require: true, Reverse: true}},
			Standing{Known: true, Reasons: []string{`track "lan" passes`}}},
		{"what is required is not known yet", []Use{{Track: "late", Require: true}},
			Standing{Reasons: []string{`track "late" has said nothing yet`}}},
		{"what is required is not known yet, and must fail", []Use{{Track: "late", Require: true, Reverse: true}},
			Standing{Reasons: []string{`track "late" has said nothing yet`}}},
		{"what is required is not defined", []Use{{Track: "x", Require: true}},
			Standing{Reasons: []string{`track "x" is not defined`}}},
		{"what is preferred is not defined", []Use{{Track: "x", Score: -5}},
			Standing{Fit: true, Known: true, Reasons: []string{`track "x" is not defined`}}},
		{"below zero while it fails", []Use{{Track: "wan", Score: -60}, {Track: "lan", Score: -60}},
			Standing{Fit: true, Known: true, Score: -60, Reasons: []string{`track "wan": -60: interface eth0 has no carrier`}}},
		{"above zero while it passes", []Use{{Track: "wan", Score: 60}, {Track: "lan", Score: 60}},
			Standing{Fit: true, Known: true, Score: 60, Reasons: []string{`track "lan": +60`}}},
		{"the other way round", []Use{{Track: "wan", Score: -60, Reverse: true}, {Track: "lan", Score: 7, Reverse: true}},
			Standing{Fit: true, Known: true, Score: 53, Reasons: []string{`track "wan": +60: interface eth0 has no carrier`, `track "lan": -7`}}},
		{"not known yet counts for nothing", []Use{{Track: "late", Score: 60}, {Track: "late", Score: -60}},
			Standing{Fit: true, Known: true}},
		{"a file's value times the score", []Use{{Track: "load", Score: -10}, {Track: "idle", Score: -10}},
			Standing{Fit: true, Known: true, Score: -60, Reasons: []string{`track "load": -60: /run/load holds 6`}}},
		{"two below zero are above", []Use{{Track: "bonus", Score: -10}},
			Standing{Fit: true, Known: true, Score: 60, Reasons: []string{`track "bonus": +60: /run/load holds -6`}}},
		{"a file that is required holds 0", []Use{{Track: "load", Require: true}, {Track: "idle", Require: true}},
			Standing{Known: true, Reasons: []string{`track "load": /run/load holds 6`}}},
		{"a file at -254 is a fault", []Use{{Track: "load", Score: -50}},
			Standing{Known: true, Reasons: []string{`track "load": /run/load holds 6, times -50`}}},
		{"a file is cut", []Use{{Track: "load", Score: 50}, {Track: "huge", Score: math.MaxInt}},
			Standing{Fit: true, Known: true, Score: 506, Reasons: []string{`track "load": +253: /run/load holds 6`, `track "huge": +253: holds much`}}},
		{"a script is cut", []Use{{Track: "db", Score: -254}},
			Standing{Fit: true, Known: true, Score: -253, Reasons: []string{`track "db": -253: exit status 1`}}},
		{"a process is cut", []Use{{Track: "proxy", Score: -300}},
			Standing{Fit: true, Known: true, Score: -254, Reasons: []string{`track "proxy": -254: 0 run`}}},
		{"a fault counts in every use", []Use{{Track: "gone", Score: 1}},
			Standing{Known: true, Reasons: []string{`track "gone": /run/x: no such file or directory`}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Judge(tt.uses, results)); diff != "" {
				t.Errorf("Judge(%+v) (-want +got):\n%s", tt.uses, diff)
			}
		})
	}
}

func TestASpecSaysAllThatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		spec Spec
		want string
	}{
		{"an interface", Spec{Name: "a", Kind: Interface, Interface: "eth0"}, ""},
		{"a script", Spec{Name: "a", Kind: Script, Command: []string{"/bin/true"}}, ""},
		{"a file", Spec{Name: "a", Kind: File, Path: "/run/x"}, ""},
		{"a process", Spec{Name: "a", Kind: Process, Process: "nginx", AtMost: 4}, ""},
		{"nothing", Spec{}, "name: empty\nkind: \"\" is unknown"},
		{"no interface", Spec{Name: "a", Kind: Interface, Interface: "a-name-of-16-byte"}, `interface: "a-name-of-16-byte" is not the name of one`},
		{"no command", Spec{Name: "a", Kind: Script}, "command: empty"},
		{"a shell's command", Spec{Name: "a", Kind: Script, Command: []string{"true"}}, "command: path is not absolute"},
		{"a relative file", Spec{Name: "a", Kind: File, Path: "x"}, `path: "x" is not absolute`},
		{"more than most", Spec{Name: "a", Kind: Process, Process: "x", AtLeast: 3, AtMost: 2}, "processes: at least 3 and at most 2 are wanted"},
		{"times", Spec{Name: "a", Kind: File, Path: "/x", Interval: 1, UpDelay: -1}, "interval: 1ns is not between 10ms and 24h0m0s\nup_delay: -1ns is not between 0s and 24h0m0s"},
		{"counts", Spec{Name: "a", Kind: File, Path: "/x", Rise: -1}, "rise, fall: negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.spec.Validate(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
