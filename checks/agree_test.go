package checks

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/fsm"
)

// opinionsOf makes opinions of letters: u, d or ?, by lb1, lb2 and so on.
func opinionsOf(letters string) []Opinion {
	var list []Opinion
	for i, c := range letters {
		o := Opinion{Observer: "lb" + string(rune('1'+i)), Health: healthOf(c)}
		if c == 'd' {
			o.Cause = "connection refused"
		}
		list = append(list, o)
	}
	return list
}

func healthOf(c rune) fsm.Health {
	return map[rune]fsm.Health{'u': fsm.Up, 'd': fsm.Down, '?': fsm.Unknown, '-': ""}[c]
}

func TestAgree(t *testing.T) {
	for _, tt := range []struct {
		name      string
		prev      rune
		agreement fsm.Agreement
		opinions  string
		want      rune
	}{
		{"majority: two of three find it dead", 'u', fsm.Majority, "ddu", 'd'},
		{"majority: one of three finds it dead", 'u', fsm.Majority, "udu", 'u'},
		{"majority: two of three find it live again", 'd', fsm.Majority, "udu", 'u'},
		{"majority is the default", 'u', "", "ddu", 'd'},
		{"majority: a tie keeps it up", 'u', fsm.Majority, "ud", 'u'},
		{"majority: a tie keeps it down", 'd', fsm.Majority, "ud", 'd'},
		{"majority: a tie keeps it unknown", '?', fsm.Majority, "ud", '?'},
		{"majority: who does not know has no vote", 'u', fsm.Majority, "d??", 'd'},
		{"majority: the first pass admits", '?', fsm.Majority, "u??", 'u'},
		{"majority: the first failure decides", '?', fsm.Majority, "?d?", 'd'},
		{"majority: nobody knows", 'u', fsm.Majority, "???", 'u'},
		{"majority: nobody is there", 'd', fsm.Majority, "", 'd'},
		{"majority: three of five", 'u', fsm.Majority, "dddud", 'd'},
		{"any: one finds it dead", 'u', fsm.Any, "uud", 'd'},
		{"any: one still finds it dead", 'd', fsm.Any, "uud", 'd'},
		{"any: all find it live", 'd', fsm.Any, "uu?", 'u'},
		{"any: nobody knows", 'd', fsm.Any, "??", 'd'},
		{"all: one finds it live", 'u', fsm.All, "ddu", 'u'},
		{"all: one finds it live again", 'd', fsm.All, "ddu", 'u'},
		{"all: everyone finds it dead", 'u', fsm.All, "d?d", 'd'},
		{"all: nobody knows", 'u', fsm.All, "?", 'u'},
	} {
		t.Run(tt.name, func(t *testing.T) {
			prev := fsm.Verdict{Health: healthOf(tt.prev), Cause: "before"}
			got, changed := Agree(prev, tt.agreement, opinionsOf(tt.opinions))
			if got.Health != healthOf(tt.want) || changed != (tt.prev != tt.want) {
				t.Errorf("Agree(%s, %s, %q) = %+v, %v; want %s", prev.Health, tt.agreement, tt.opinions, got, changed, healthOf(tt.want))
			}
			if !changed && got != prev {
				t.Errorf("the verdict stays, but %+v is not %+v", got, prev)
			}
		})
	}
}

func TestAVerdictTellsWhoSawWhat(t *testing.T) {
	up := fsm.Verdict{Health: fsm.Up}
	for _, tt := range []struct {
		name     string
		opinions []Opinion
		want     string
	}{
		{"alike", []Opinion{{"lb2", fsm.Down, "refused"}, {"lb1", fsm.Down, "refused"}}, "down at lb1, lb2: refused"},
		{"unlike", []Opinion{
			{"lb3", fsm.Down, "refused"}, {"lb4", fsm.Up, ""}, {"lb2", fsm.Down, "no answer in 1s"}, {"lb1", fsm.Down, "refused"}, {"lb5", fsm.Unknown, ""},
		}, "down at lb1, lb3: refused; down at lb2: no answer in 1s; up at lb4"},
		{"long", []Opinion{{"lb1", fsm.Down, strings.Repeat("x", 1000)}}, "down at lb1: " + strings.Repeat("x", maxVerdictCause-16) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 10 { // whatever the order of maps
				if got, _ := Agree(up, fsm.Majority, tt.opinions); got.Cause != tt.want {
					t.Fatalf("cause %q, want %q", got.Cause, tt.want)
				}
			}
		})
	}
	if got, _ := Agree(fsm.Verdict{Health: fsm.Down}, fsm.Majority, opinionsOf("duu")); got.Cause != "up at lb2, lb3; down at lb1: connection refused" {
		t.Errorf("cause %q, want those who agree first", got.Cause)
	}
}

var (
	serverA = netip.MustParseAddrPort("192.0.2.11:80")
	serverB = netip.MustParseAddrPort("192.0.2.12:80")
	serverC = netip.MustParseAddrPort("192.0.2.13:80")
	spare   = netip.MustParseAddrPort("192.0.2.250:80")
	tcp     = fsm.Check{Kind: fsm.CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 2}
)

func web(servers ...netip.AddrPort) fsm.Service {
	s := fsm.Service{Name: "web", Forward: fsm.NAT, Checks: []fsm.Check{tcp}}
	for _, a := range servers {
		s.Servers = append(s.Servers, fsm.Server{Address: a, Weight: 1})
	}
	return s
}

func webKey(a netip.AddrPort) fsm.ServerKey { return fsm.ServerKey{Service: "web", Server: a} }

func TestAgreeAllReturnsTheChangesAndNothingElse(t *testing.T) {
	now, older := Fingerprint([]fsm.Check{tcp}), "older"
	service := web(serverA, serverB, serverC, spare)
	plain := fsm.Service{Name: "plain", Servers: []fsm.Server{{Address: serverA}}}
	saw := func(h fsm.Health, checks string) Observation {
		return Observation{Health: h, Cause: "c", Checks: checks}
	}
	in := Inputs{
		Services: fsm.MapOf(map[string]fsm.Service{"web": service, "plain": plain}),
		Verdicts: fsm.VerdictsOf(map[fsm.ServerKey]fsm.Verdict{webKey(serverA): {Health: fsm.Up}, webKey(serverB): {Health: fsm.Up}}),
		Reports: map[string]map[fsm.ServerKey]Observation{
			"lb1": {webKey(serverA): saw(fsm.Down, now), webKey(serverB): saw(fsm.Up, now), webKey(serverC): saw(fsm.Up, now), webKey(spare): saw(fsm.Up, older)},
			"lb2": {webKey(serverA): saw(fsm.Down, now), webKey(serverB): saw(fsm.Down, older), {Service: "gone", Server: serverA}: saw(fsm.Down, now)},
			"lb3": nil,
		},
	}
	want := map[fsm.ServerKey]fsm.Verdict{
		webKey(serverA):                     {Health: fsm.Down, Cause: "down at lb1, lb2: c"},
		webKey(serverC):                     {Health: fsm.Up, Cause: "up at lb1"},
		{Service: "plain", Server: serverA}: {Health: fsm.Up, Cause: noChecks},
	}
	if diff := cmp.Diff(want, AgreeAll(in), cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("AgreeAll (-want +got):\n%s", diff)
	}
	all := maps.Collect(in.Verdicts.All())
	maps.Copy(all, want)
	in.Verdicts = fsm.VerdictsOf(all)
	if again := AgreeAll(in); len(again) != 0 {
		t.Errorf("once they are in the log there are still changes: %v", again)
	}
}

// TestWhoWasUpBeforeItsChecksChangedIsSoUntilTheySay goes from what was agreed by other checks to what the present ones say.
func TestWhoWasUpBeforeItsChecksChangedIsSoUntilTheySay(t *testing.T) {
	now := Fingerprint([]fsm.Check{tcp})
	before := fsm.Verdict{Health: fsm.Up, Cause: fsm.UpBefore}
	for name, tt := range map[string]struct {
		checks []fsm.Check
		sees   []Observation
		want   fsm.Verdict // none: it stays
	}{
		"nobody says anything":     {[]fsm.Check{tcp}, []Observation{{Health: fsm.Unknown, Checks: now}}, fsm.Verdict{}},
		"one goes by the old ones": {[]fsm.Check{tcp}, []Observation{{Health: fsm.Down, Cause: "c", Checks: "older"}}, fsm.Verdict{}},
		"up":                       {[]fsm.Check{tcp}, []Observation{{Health: fsm.Up, Checks: now}}, fsm.Verdict{Health: fsm.Up, Cause: "up at lb0"}},
		"down":                     {[]fsm.Check{tcp}, []Observation{{Health: fsm.Down, Cause: "c", Checks: now}}, fsm.Verdict{Health: fsm.Down, Cause: "down at lb0: c"}},
		"one of three is first":    {[]fsm.Check{tcp}, []Observation{{Health: fsm.Down, Cause: "c", Checks: now}, {Health: fsm.Unknown, Checks: now}, {Health: fsm.Up, Checks: "older"}}, fsm.Verdict{}},
		"two of three":             {[]fsm.Check{tcp}, []Observation{{Health: fsm.Down, Cause: "c", Checks: now}, {Health: fsm.Unknown, Checks: now}, {Health: fsm.Down, Cause: "c", Checks: now}}, fsm.Verdict{Health: fsm.Down, Cause: "down at lb0, lb2: c"}},
		"they do not agree":        {[]fsm.Check{tcp}, []Observation{{Health: fsm.Down, Cause: "c", Checks: now}, {Health: fsm.Up, Checks: now}}, fsm.Verdict{}},
		"there are none":           {nil, nil, fsm.Verdict{Health: fsm.Up, Cause: noChecks}},
	} {
		t.Run(name, func(t *testing.T) {
			in := Inputs{
				Services: fsm.MapOf(map[string]fsm.Service{"web": {Name: "web", Agreement: fsm.Majority, Checks: tt.checks, Servers: []fsm.Server{{Address: serverA}}}}),
				Verdicts: fsm.VerdictsOf(map[fsm.ServerKey]fsm.Verdict{webKey(serverA): before}),
				Reports:  map[string]map[fsm.ServerKey]Observation{},
			}
			for i, o := range tt.sees {
				in.Reports[fmt.Sprintf("lb%d", i)] = map[fsm.ServerKey]Observation{webKey(serverA): o}
			}
			got, changed := AgreeAll(in)[webKey(serverA)]
			if got != tt.want || changed != (tt.want != fsm.Verdict{}) {
				t.Errorf("%+v, %v, want %+v", got, changed, tt.want)
			}
		})
	}
}

func TestAFingerprintIsOfWhatIsProbed(t *testing.T) {
	tuned := tcp
	tuned.Interval, tuned.Timeout, tuned.Rise, tuned.Fall = time.Minute, time.Minute, 9, 9
	if Fingerprint([]fsm.Check{tuned}) != Fingerprint([]fsm.Check{tcp}) {
		t.Error("tuning changed the fingerprint")
	}
	tuning := map[string]bool{"Interval": true, "Timeout": true, "Rise": true, "Fall": true}
	for i := range reflect.TypeFor[fsm.Check]().NumField() {
		c := tcp
		f := reflect.ValueOf(&c).Elem().Field(i)
		name := reflect.TypeFor[fsm.Check]().Field(i).Name
		if tuning[name] {
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString("other")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Uint16:
			f.SetUint(7)
		case reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		default:
			t.Fatalf("field %s: is it what is probed?", name)
		}
		if Fingerprint([]fsm.Check{c}) == Fingerprint([]fsm.Check{tcp}) {
			t.Errorf("field %s is not in the fingerprint", name)
		}
	}
}

func TestObservationsTravelAsJSON(t *testing.T) {
	in := map[fsm.ServerKey]Observation{webKey(serverA): {Health: fsm.Down, Cause: "c", Since: time.Unix(5, 0).UTC(), Checks: "x"}, webKey(serverB): {Health: fsm.Unknown}}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out map[fsm.ServerKey]Observation
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, out, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Errorf("through %s (-want +got):\n%s", text, diff)
	}
}
