package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ev is a line of `go test -json`: an action, a package's folder and perhaps a test.
func ev(action, folder, name string) string {
	return fmt.Sprintf(`{"Action":%q,"Package":%q,"Test":%q}`, action, module+folder, name)
}

// ended are the lines of a test that ran and ended so.
func ended(folder, name, how string) string {
	return ev("run", folder, name) + "\n" + ev(how, folder, name)
}

const list = `# a list
V1 must The first.
V2 interop The second.
V3 hardening The third.
     but: nobody knows how
`

// table runs the program on lines, and returns the table, what it complains of and whether all is well.
func table(t *testing.T, list string, lines ...string) (page, complaints string, ok bool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, complain strings.Builder
	ok, err := run([]string{"-list", file, "-date", "2026-11-28", "-about", "quorate 1"}, strings.NewReader(strings.Join(lines, "\n")), &out, &complain)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), complain.String(), ok
}

func TestTheTableSaysWhatTheTestsShow(t *testing.T) {
	good := []string{
		ev("start", "director/vrrp", ""), ended("director/vrrp", "TestV1First", "pass"),
		ev("run", "director/vrrp", "TestAll"), ended("director/vrrp", "TestAll/V2_a_thing:_v3/4_yields", "pass"),
		ended("director/vrrp", "TestAll/V2_V1_another", "pass"), ev("pass", "director/vrrp", "TestAll"), ev("pass", "director/vrrp", ""),
	}
	for _, tt := range []struct {
		name  string
		lines []string
		ok    bool
		says  []string // in the table or the complaints
	}{
		{"all is well", good, true, []string{
			"2026-11-28, quorate 1.", "| must | 1 | 1 | 0 | 0 | 0 |", "| hardening | 1 | 0 | 0 | 0 | 1 |", "| all | 3 | 2 | 0 | 0 | 1 |",
			"| V1 | The first. | must | director/vrrp: TestV1First, TestAll | passed |",
			"| V2 | The second. | interop | director/vrrp: TestAll (2) | passed |",
			"| V3 | The third. *But:* nobody knows how | hardening |  | **no test** |",
		}},
		{"two folders", append(slices.Clone(good), ended("config", "TestV1", "pass")), true, []string{"config: TestV1; director/vrrp: TestV1First, TestAll |"}},
		{"a must without a test", []string{ended("fsm", "TestV2", "pass")}, false, []string{"V1 (must) has no test that passed: The first.", "| V1 | The first. | must |  | **no test** |"}},
		{"a number that is not in the list", append(slices.Clone(good), ended("fsm", "TestV4", "pass")), false, []string{"fsm TestV4: V4 is not in the list"}},
		{"an interop whose only test is skipped", []string{ended("fsm", "TestV1", "pass"), ended("fsm", "TestV2", "skip")}, false,
			[]string{"V2 (interop) has no test that passed", "| V2 | The second. | interop | fsm: TestV2 | skipped |"}},
		{"one of two is skipped", append(slices.Clone(good), ended("fsm", "TestV2", "skip")), true, []string{"| passed; 1 skipped |"}},
		{"one of many failed", append(slices.Clone(good), ended("fsm", "TestV2", "fail")), false, []string{"fsm TestV2 failed", "| **failed**: 1 of 3 |", "| interop | 1 | 0 | 1 | 0 | 0 |"}},
		{"one that did not end", append(slices.Clone(good), ev("run", "fsm", "TestV3")), false, []string{"fsm TestV3 began and did not end", "| **failed**: 1 of 1 |"}},
		{"a test that failed beside its subtests", append(slices.Clone(good), ev("run", "fsm", "TestV3"), ended("fsm", "TestV3/x", "pass"), ev("fail", "fsm", "TestV3")), false, []string{"fsm TestV3 failed"}},
		{"a failed test without a number is none of ours", append(slices.Clone(good), ev("start", "fsm", ""), ended("fsm", "TestOther", "fail"), ev("fail", "fsm", "")), true, nil},
		{"a package that does not build", append(slices.Clone(good), "# fsm", "fsm/x.go:1: syntax error", ev("start", "fsm", ""), ev("fail", "fsm", "")), false, []string{"fsm failed outside of its tests"}},
		{"a stream that is cut off", good[:len(good)-1], false, []string{"director/vrrp failed outside of its tests, or did not end"}},
		{"nothing ran", nil, false, []string{"V1 (must) has no test", "V2 (interop) has no test"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, complaints, ok := table(t, list, tt.lines...)
			if ok != tt.ok {
				t.Errorf("well: %v, want %v\n%s", ok, tt.ok, complaints)
			}
			for _, want := range tt.says {
				if !strings.Contains(page+complaints, want) {
					t.Errorf("no %q in\n%s%s", want, page, complaints)
				}
			}
		})
	}
}

func TestAHardeningWithoutATestNeedsAReason(t *testing.T) {
	if _, complaints, ok := table(t, "V1 hardening It.\n"); ok || !strings.Contains(complaints, "V1 (hardening) has no test, and no reason for that") {
		t.Errorf("well: %v, %q", ok, complaints)
	}
}

func TestNumbersAreFoundInNames(t *testing.T) {
	for name, want := range map[string][]int{
		"TestV45ASilentOwner":                       {45},
		"TestV66V70AnnouncementsAreRepeated":        {66, 70},
		"TestV3_V5_G11_AdvertsLeave":                {3, 5},
		"TestAttacks/V20_V21_A3_TTL_254:_v3/4_x":    {20, 21},
		"TestX/all/V7_of_IPV6_and_RFCV9,_V7,_TVs":   {7},
		"TestVRRPRules/V_9":                         nil,
		"TestTheNeV1sAreNoNumbers":                  nil,
		"TestTranscripts/a_backup_of_v2_is_no_v3_5": nil,
	} {
		if got := numbers(name); !slices.Equal(got, want) {
			t.Errorf("numbers(%s) = %v, want %v", name, got, want)
		}
	}
}

func TestAListThatIsWrongIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "no requirement in it",
		"V1 must":                         "line 1: want a number, a level and a sentence",
		"W1 must It.":                     `line 1: "W1" is no number`,
		"V0 must It.":                     "is no number",
		"V1 should It.":                   `level "should" is none of`,
		"V2 must It.\nV2 must It.":        "line 2: number V2 comes after V2",
		"V1 must It.\n  no reason":        "line 2: an indented line is a but:",
		" but: x\nV1 must It.":            "line 1: an indented line",
		"V1 must It.\n but: a\n but: b\n": "line 3: an indented line",
	} {
		if _, err := parseList(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestTheListIsWhole(t *testing.T) {
	text, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	rs, err := parseList(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rs {
		if r.number != i+1 || !strings.HasSuffix(r.sentence, ".") {
			t.Errorf("line of V%d: want V%d and a sentence", r.number, i+1)
		}
	}
}
