package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ev is a line of `go test -json`: an action, a package's folder, perhaps a test and its output.
func ev(action, folder string, more ...string) string {
	name, output := "", ""
	if len(more) > 0 {
		name = more[0]
	}
	if len(more) > 1 {
		output = more[1]
	}
	return fmt.Sprintf(`{"Action":%q,"Package":%q,"Test":%q,"Output":%q,"Elapsed":1.5}`, action, module+folder, name, output)
}

// ended is a test that ran and ended so.
func ended(folder, name, how string, output ...string) string {
	lines := []string{ev("run", folder, name), ev("output", folder, name, "=== RUN   "+name+"\n")}
	for _, text := range output {
		lines = append(lines, ev("output", folder, name, text+"\n"))
	}
	return strings.Join(append(lines, ev(how, folder, name)), "\n")
}

func TestTheEndOfARunSaysWhatCameOfIt(t *testing.T) {
	hostPass := ended("fsm", "TestA", "pass") + "\n" + ev("pass", "fsm")
	guestPass := ended("e2e", "TestG", "pass") + "\n" + ev("pass", "e2e")
	lists := rules{
		want:  []string{"host", "guest"},
		guest: map[key]string{{"e2e", "TestG"}: ""},
		skips: map[key]string{{"fsm", "TestAllowed"}: "needs a printer"},
	}
	both := func(host, inGuest string) []string {
		return []string{"place host", host, "exit 0", "place guest", inGuest, "exit 0"}
	}
	for _, tt := range []struct {
		name  string
		lines []string
		rules rules
		last  string
		says  []string // must be in the output
	}{
		{"all passed", both(hostPass, guestPass), lists, "2 passed, 0 failed, 0 skipped",
			[]string{"ok    fsm (1.5s)", "host: 1 tests ran", "guest: 1 tests ran", "ok   TestG (1.5s)"}},
		{"a test that fails is printed whole", []string{"place host", ended("fsm", "TestA", "fail", "    a_test.go:1: boom", "more"), ev("fail", "fsm")},
			rules{}, "0 passed, 1 failed, 0 skipped", []string{"=== RUN   TestA\n    a_test.go:1: boom\nmore\n", "FAIL  fsm", "host: fsm TestA failed"}},
		{"a failed subtest counts once", []string{ev("run", "fsm", "TestA"), ended("fsm", "TestA/x", "fail"), ended("fsm", "TestA/y", "pass"), ev("fail", "fsm", "TestA"), ev("fail", "fsm")},
			rules{}, "1 passed, 1 failed, 0 skipped", []string{"host: fsm TestA/x failed"}},
		{"a test that fails beside its subtests counts", []string{ev("run", "fsm", "TestA"), ended("fsm", "TestA/x", "pass"), ev("fail", "fsm", "TestA"), ev("fail", "fsm")},
			rules{}, "1 passed, 1 failed, 0 skipped", []string{"host: fsm TestA failed"}},
		{"a test that does not end failed", []string{ev("run", "fsm", "TestA"), ev("output", "fsm", "TestA", "panic: oh\n"), ev("fail", "fsm")},
			rules{}, "0 passed, 1 failed, 0 skipped", []string{"panic: oh", "TestA began and did not end"}},
		{"a stream that is cut off failed", []string{ev("start", "fsm"), ev("run", "fsm", "TestA")},
			rules{}, "0 passed, 2 failed, 0 skipped", []string{"host: fsm began and did not end", "host: fsm TestA failed"}},
		{"a package that does not build failed", []string{`{"ImportPath":"x","Action":"build-output","Output":"x.go:1: syntax error\n"}`, ev("output", "fsm", "", "FAIL\tfsm [build failed]\n"), ev("fail", "fsm")},
			rules{}, "0 passed, 1 failed, 0 skipped", []string{"x.go:1: syntax error", "fsm failed outside of its tests"}},
		{"a command that fails with no failed test", []string{"place host", ended("fsm", "TestA", "pass"), ev("pass", "fsm"), "exit 2"},
			rules{}, "1 passed, 1 failed, 0 skipped", []string{"go test ended with status 2"}},
		{"a skip that is allowed", both(hostPass+"\n"+ended("fsm", "TestAllowed", "skip", "    a_test.go:3: no printer", "--- SKIP: TestAllowed (0.00s)"), guestPass),
			lists, "2 passed, 0 failed, 1 skipped", []string{"skipped fsm TestAllowed: no printer", "allowed: needs a printer"}},
		{"a skip that is not", both(hostPass+"\n"+ended("fsm", "TestB", "skip", "    a_test.go:3: lazy\r"), guestPass),
			lists, "2 passed, 1 failed, 0 skipped", []string{"fsm TestB was skipped: lazy; that is not in the list"}},
		{"a host's skip that passed in the guest", both(hostPass+"\n"+ended("e2e", "TestG", "skip", "    a_test.go:3: no IPVS"), guestPass),
			lists, "2 passed, 0 failed, 0 skipped", []string{"and 1 that the host cannot run passed in the guest"}},
		{"a skip in the guest", both(hostPass, ended("e2e", "TestG", "skip", "    a_test.go:3: no")), lists,
			"1 passed, 1 failed, 0 skipped", []string{"e2e TestG was skipped: no; in the guest nothing may be"}},
		{"a skipped subtest in the guest", both(hostPass, ev("run", "e2e", "TestG")+"\n"+ended("e2e", "TestG/x", "skip")+"\n"+ev("pass", "e2e", "TestG")), lists,
			"1 passed, 1 failed, 0 skipped", []string{"e2e TestG/x was skipped"}},
		{"a guest test that did not run", both(hostPass, ended("e2e", "TestOther", "pass")), lists, "2 passed, 2 failed, 0 skipped",
			[]string{"e2e TestG is on the list of guest tests and did not run", "e2e TestOther is not on the list of guest tests: run `make list-update`"}},
		{"no guest at all", []string{"place host", hostPass, "exit 0"}, lists, "1 passed, 2 failed, 0 skipped",
			[]string{"guest: no test ran", "e2e TestG is on the list"}},
		{"nothing at all", nil, rules{want: []string{"host"}}, "0 passed, 1 failed, 0 skipped", []string{"host: no test ran"}},
		{"lines that are no events pass through", []string{"place host", "go: downloading x", "{ not an event }", hostPass},
			rules{}, "1 passed, 0 failed, 0 skipped", []string{"go: downloading x\n{ not an event }\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			ty := newTally(&out)
			if err := ty.read(strings.NewReader(strings.Join(tt.lines, "\n"))); err != nil {
				t.Fatal(err)
			}
			ok := ty.report(tt.rules)
			if want := strings.Contains(tt.last, " 0 failed"); ok != want {
				t.Errorf("report = %v, want %v", ok, want)
			}
			if !strings.HasSuffix(out.String(), "\n"+tt.last+"\n") {
				t.Errorf("last line is not %q", tt.last)
			}
			for _, text := range tt.says {
				if !strings.Contains(out.String(), text) {
					t.Errorf("output lacks %q", text)
				}
			}
			if t.Failed() {
				t.Log(out.String())
			}
		})
	}
}

func TestAStreamThatGoesQuietSaysWhatIsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, end := io.Pipe()
		var out bytes.Buffer
		done := make(chan error)
		go func() { done <- newTally(&out).read(in) }()
		io.WriteString(end, strings.Join([]string{ev("run", "fsm", "TestA"), ev("run", "fsm", "TestA/x"), ended("fsm", "TestB", "pass"), ""}, "\n"))
		time.Sleep(quiet + time.Second)
		end.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got, want := out.String(), "      ...  fsm TestA/x is running\n"; got != want {
			t.Errorf("output %q, want %q", got, want)
		}
	})
}

// The golden stream was recorded from a test binary in the guest, whose terminal ends lines with CR LF.
func TestAStreamFromTheGuestIsRead(t *testing.T) {
	f, err := os.Open("testdata/guest.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out bytes.Buffer
	ok, err := run(nil, f, &out)
	if err != nil || ok {
		t.Errorf("run = %v, %v, want false, nil", ok, err)
	}
	for _, want := range []string{"x_test.go:18: bad\n", "was skipped: no reason; in the guest", "\n1 passed, 2 failed, 0 skipped\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
}

func TestListUpdateWritesWhatRanOnlyIfItPassed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guest-tests.txt")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-want", "guest", "-guest-tests", path, "-update"}
	good := "place guest\n" + ended("e2e", "TestB", "pass") + "\n" + ended("e2e", "TestA", "pass") + "\n" + ended("e2e", "TestA/x", "pass") + "\nexit 0\n"

	write("e2e TestGone\n")
	if ok, err := run(args, strings.NewReader(good+"exit 1\n"), new(bytes.Buffer)); ok || err != nil {
		t.Errorf("a run that failed: %v, %v, want false, nil", ok, err)
	}
	if got, _ := os.ReadFile(path); string(got) != "e2e TestGone\n" {
		t.Errorf("a run that failed wrote the list:\n%s", got)
	}
	if ok, err := run(args, strings.NewReader(good), new(bytes.Buffer)); !ok || err != nil {
		t.Errorf("a run that passed: %v, %v, want true, nil", ok, err)
	}
	if got, _ := os.ReadFile(path); string(got) != guestHeader+"e2e TestA\ne2e TestB\n" {
		t.Errorf("the list after a run that passed:\n%s", got)
	}
	if ok, err := run(args[:4], strings.NewReader(good), new(bytes.Buffer)); !ok || err != nil {
		t.Errorf("the same run against the new list: %v, %v, want true, nil", ok, err)
	}
}

func TestAListNamesFileAndLineOfAMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte("# head\n\nfsm TestA why so\nfsm\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := readList(path)
	if want := path + ":4:"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("readList: %v, want an error that begins with %q", err, want)
	}
	if got := list[key{"fsm", "TestA"}]; got != "why so" {
		t.Errorf("reason = %q, want %q", got, "why so")
	}
}
