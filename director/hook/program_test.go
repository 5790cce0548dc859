package hook

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/program/programtest"
)

// runOnce wants a group to be owner until its hook was run once, and returns the report.
func runOnce(t *testing.T, g Group) Report {
	t.Helper()
	reports := make(chan Report, 100)
	r := New(Config{Director: "lb1", Report: func(r Report) { reports <- r }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Run(ctx) }()
	r.Set(map[string]Group{"gateway": g})
	r.Want("gateway", Wish{State: Owner, Epoch: 7, Reason: "lb2 is\nsilent"})
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	select {
	case report := <-reports:
		return report
	case <-time.After(20 * time.Second):
		t.Fatal("no report in 20 s")
		return Report{}
	}
}

func TestAHookIsToldWhatItNeedsAndNothingElse(t *testing.T) {
	t.Setenv("SECRET", "of the agent")
	out := programtest.Drop(t)
	report := runOnce(t, Group{
		Hooks:     []Hook{{Command: []string{programtest.Shell(t, `env >"$1"; id -u >>"$1"`), out}}},
		Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8::1/64")},
	})
	if !report.OK {
		t.Fatalf("%+v", report)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(text)), "\n")
	uid := got[len(got)-1]
	if got = got[:len(got)-1]; os.Geteuid() == 0 && uid != "65534" {
		t.Errorf("it ran as user %s, want nobody", uid)
	}
	got = slices.DeleteFunc(got, func(line string) bool { // the shell's own
		return strings.HasPrefix(line, "PWD=") || strings.HasPrefix(line, "OLDPWD=") || strings.HasPrefix(line, "_=")
	})
	slices.Sort(got)
	want := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"QUORATE_ADDRESSES=192.0.2.1/24 2001:db8::1/64",
		"QUORATE_DIRECTOR=lb1",
		"QUORATE_EPOCH=7",
		"QUORATE_GROUP=gateway",
		"QUORATE_REASON=lb2 is silent",
		"QUORATE_STATE=owner",
	}
	if !slices.Equal(got, want) {
		t.Errorf("it was told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAFailedHookIsReportedWithTheEndOfItsOutput(t *testing.T) {
	t.Parallel()
	report := runOnce(t, Group{Hooks: []Hook{{Name: "cloud", Command: []string{programtest.Shell(t, `seq 10000; echo "quota exceeded" >&2; exit 4`)}}}})
	if report.OK || report.Exit != 4 || report.Problem != "exit status 4: quota exceeded" || report.Output != "quota exceeded\n" ||
		report.Hook != "cloud" || report.Attempt != 1 || report.Again != time.Second {
		t.Errorf("%+v", report)
	}
	report = runOnce(t, Group{Hooks: []Hook{{Command: []string{programtest.Shell(t, `seq 10000; exit 1`)}}}})
	if len(report.Output) > 4<<10 || !strings.HasSuffix(report.Output, "\n9999\n10000\n") {
		t.Errorf("%d bytes of output, which end with %q", len(report.Output), report.Output[max(0, len(report.Output)-20):])
	}
}

func TestAHooksWholeGroupIsKilledWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	out := programtest.Drop(t)
	report := runOnce(t, Group{Hooks: []Hook{{
		Command: []string{programtest.Shell(t, `echo $$ >>"$1"; sleep 97 & echo $! >>"$1"; sh -c 'trap "" TERM INT HUP; echo $$ >>"$0"; sleep 97; sleep 97' "$1" & sleep 97`), out},
		Timeout: 300 * time.Millisecond,
	}}})
	if report.OK || report.Problem != "no exit in 300ms" {
		t.Errorf("%+v", report)
	}
	text, err := os.ReadFile(out)
	pids := strings.Fields(string(text))
	if err != nil || len(pids) != 3 {
		t.Fatalf("the hook left %q, %v", text, err)
	}
	for _, pid := range pids {
		wantGone(t, pid)
	}
}

// wantGone fails the test unless the process ends within a second. One that nobody reaps counts as ended.
func wantGone(t *testing.T, pid string) {
	t.Helper()
	if _, err := strconv.Atoi(pid); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %s lives on", pid)
}

func TestAHookIsRefusedWithTheComponentAtFault(t *testing.T) {
	t.Parallel()
	good := programtest.Shell(t, "exit 0")
	plain := programtest.Shell(t, "exit 0")
	if err := os.Chmod(plain, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		hook Hook
		want string
	}{
		{"a good one", Hook{Command: []string{good}}, ""},
		{"nothing", Hook{}, "command: empty"},
		{"a shell's command", Hook{Command: []string{"hook"}}, "command: path is not absolute"},
		{"an unknown state", Hook{Command: []string{good}, On: []State{"master"}}, `on: no state "master", there are owner, standby, fault and stop`},
		{"an endless time", Hook{Command: []string{good}, Timeout: 2 * time.Hour}, "timeout: 2h0m0s is not between 0s and 1h0m0s"},
		{"missing", Hook{Command: []string{good + "/x"}}, "hook " + good + "/x: " + good + ": not a directory"},
		{"not executable", Hook{Command: []string{plain}}, "hook " + plain + ": " + plain + ": not executable (mode 0644)"},
		{"an unknown user", Hook{Command: []string{good}, User: "no-such-user"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			err := tt.hook.Check()
			if err != nil {
				got = err.Error()
			}
			if tt.hook.User != "" {
				if err == nil {
					t.Error("it was taken")
				}
				return
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, who minds what others could change")
	}
	if err := os.Chmod(good, 0o757); err != nil {
		t.Fatal(err)
	}
	report := runOnce(t, Group{Hooks: []Hook{{Command: []string{good}}}})
	if want := "hook " + good + ": " + good + ": writable by others (mode 0757)"; report.OK || report.Problem != want || report.Exit != -1 {
		t.Errorf("%+v, want %s", report, want)
	}
}
