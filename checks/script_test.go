package checks

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/fsm"
	"github.com/quorate/quorate/program"
	"github.com/quorate/quorate/program/programtest"
)

func scriptCheck(timeout time.Duration, argv ...string) fsm.Check {
	return fsm.Check{Kind: fsm.CheckScript, Command: argv, Timeout: timeout}
}

func TestAScriptsExitStatusDecides(t *testing.T) {
	t.Parallel()
	target := refusing(t)
	for _, tt := range []struct{ name, body, want string }{
		{"0 passes", "exit 0", ""},
		{"0 passes whatever it says", "echo bad >&2", ""},
		{"1 fails", "exit 1", "exit status 1"},
		{"it says why", "echo; echo 'no db\tconnection' >&2; echo more >&2; exit 3", "exit status 3: no db connection"},
		{"it says why on its output", "echo CRITICAL; exit 2", "exit status 2: CRITICAL"},
		{"it says much", "printf 'x%.0s' $(seq 200) >&2; exit 4", "exit status 4: " + strings.Repeat("x", 117) + "…"},
		{"it says bad bytes", `printf '\033[2J\377ok\n' >&2; exit 5`, "exit status 5: [2J ok"},
		{"it is killed", "kill -9 $$", "killed by signal 9 (killed)"},
		{"it floods", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 6", "exit status 6"},
		{"its input is empty", "read x && exit 0; exit 7", "exit status 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantCause(t, scriptCheck(10*time.Second, programtest.Shell(t, tt.body)), target, tt.want)
		})
	}
}

func TestAScriptKnowsItsServerAndNothingElse(t *testing.T) {
	t.Setenv("SECRET", "of the agent")
	out := programtest.Drop(t)
	c := scriptCheck(10*time.Second, programtest.Shell(t, `tr '\0' '\n' </proc/self/environ >"$1"; echo "arg=$2" >>"$1"; pwd >>"$1"`), out, "a b;$(c)")
	c.Port = 81
	wantCause(t, c, refusing(t), "")
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for line := range strings.Lines(string(got)) {
		lines[strings.TrimSpace(line)] = true
	}
	for _, want := range []string{
		"QUORATE_SERVICE=web", "QUORATE_SERVER_ADDRESS=127.0.0.1", "QUORATE_SERVER_PORT=81", "arg=a b;$(c)", "/",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	} {
		if !lines[want] {
			t.Errorf("%q is not in what the script saw:\n%s", want, got)
		}
		delete(lines, want)
	}
	delete(lines, "PWD=/") // the shell's own
	delete(lines, "_=/usr/bin/tr")
	for line := range lines {
		if !strings.HasPrefix(line, "OLDPWD") && line != "" {
			t.Errorf("the script also saw %q", line)
		}
	}
}

func TestAScriptIsUnprivilegedAndStaysSo(t *testing.T) {
	out := programtest.Drop(t)
	wantCause(t, scriptCheck(10*time.Second, programtest.Shell(t, `cat /proc/self/status >"$1"`), out), refusing(t), "")
	got := statusFields(t, out)
	if got["NoNewPrivs"] != "1" {
		t.Errorf("NoNewPrivs = %q, want 1", got["NoNewPrivs"])
	}
	if os.Geteuid() == 0 {
		if f := strings.Fields(got["Uid"]); len(f) != 4 || f[0] == "0" || f[0] != f[1] || f[1] != f[2] {
			t.Errorf("Uid = %q, want an unprivileged user", got["Uid"])
		}
		if got["Groups"] != "" || strings.Trim(got["CapEff"], "0") != "" {
			t.Errorf("Groups = %q, CapEff = %q, want none", got["Groups"], got["CapEff"])
		}
	}
	if self := statusFields(t, "/proc/self/status"); self["NoNewPrivs"] != "0" {
		t.Skip("the test itself runs without new privileges")
	}
	for range 100 { // the script's thread takes a moment to end
		if marked(t) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d of the agent's own threads lost their privileges", marked(t))
}

// marked counts the threads of this process that can gain no privileges.
func marked(t *testing.T) (n int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(tasks) == 0 {
		t.Fatal("no tasks", err)
	}
	for _, task := range tasks {
		if statusFields(t, task)["NoNewPrivs"] == "1" {
			n++
		}
	}
	return n
}

func statusFields(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		return nil // a thread that ended meanwhile
	}
	fields := map[string]string{}
	for line := range strings.Lines(string(text)) {
		k, v, _ := strings.Cut(line, ":")
		fields[k] = strings.TrimSpace(v)
	}
	return fields
}

func TestAScriptsWholeGroupEndsWithIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body, want string
		timeout          time.Duration
	}{
		{"at the deadline", `echo $$ >>"$1"; sleep 97 & echo $! >>"$1"; sh -c 'trap "" TERM INT HUP; echo $$ >>"$0"; sleep 97; sleep 97' "$1" & sleep 97`, "no exit in 1s", short},
		{"when it deafens itself", `trap "" TERM; echo $$ >>"$1"; while :; do sleep 1; done`, "no exit in 1s", short},
		{"when it stops itself", `echo $$ >>"$1"; kill -STOP $$`, "no exit in 1s", short},
		{"when it exits first", `sleep 97 & echo $! >>"$1"; exit 0`, "", 10 * time.Second},
		{"when it fails first", `sleep 97 & echo $! >>"$1"; echo gone >&2; exit 9`, "exit status 9: gone", 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := programtest.Drop(t)
			argv := programtest.Shell(t, tt.body)
			start := time.Now()
			wantCause(t, scriptCheck(tt.timeout, argv, out), refusing(t), tt.want)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			text, err := os.ReadFile(out)
			if err != nil || len(text) == 0 {
				t.Fatalf("the script left no process ids: %v", err)
			}
			for pid := range strings.FieldsSeq(string(text)) {
				wantGone(t, pid)
			}
			if left := running(argv); len(left) > 0 {
				t.Errorf("still running: %v", left)
			}
		})
	}
}

// TestManyProcessesEndWithTheirGroup is not in parallel, where it would delay others. The processes
// double six times and no more: nothing here may outgrow the machine when the test itself is killed.
func TestManyProcessesEndWithTheirGroup(t *testing.T) {
	out := programtest.Drop(t)
	argv := programtest.Shell(t, `echo $$ >>"$1"; f() { [ "$1" -lt 6 ] && { f $(($1+1)) & f $(($1+1)) & }; sleep 9; }; f 0`)
	p, err := NewProber(scriptCheck(short, argv, out), refusing(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := p.Probe(t.Context())
	if r.Cause != "no exit in 1s" || r.Took > 4*time.Second { // it takes the processors while it lives
		t.Errorf("%+v", r)
	}
	for range 100 {
		if len(running(argv)) == 0 {
			return
		}
	}
	t.Errorf("still running: %v", running(argv))
}

func TestAScriptsProcessesAreBounded(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the limit is of the user whom scripts run as")
	}
	out := programtest.Drop(t)
	wantCause(t, scriptCheck(5*time.Second, programtest.Shell(t, `o=$1; set -- $(grep "Max processes" /proc/self/limits); echo $3 >"$o"; nice >>"$o"`), out), refusing(t), "")
	got, err := os.ReadFile(out)
	f := strings.Fields(string(got))
	if err != nil || len(f) != 2 {
		t.Fatalf("the script wrote %q, %v", got, err)
	}
	if limit, err := strconv.Atoi(f[0]); err != nil || limit > 2048 {
		t.Errorf("it may have %s processes, want at most 2048", f[0])
	}
	if f[1] == "0" {
		t.Error("it runs with the agent's own niceness")
	}
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &own); err != nil || own.Cur <= 2048 {
		t.Errorf("the agent's own limit is %d now, %v", own.Cur, err)
	}
}

// wantGone fails the test unless the process ends within a second. One that nobody reaps counts as
// ended.
func wantGone(t *testing.T, pid string) {
	t.Helper()
	for range 100 {
		stat := statusFields(t, "/proc/"+pid+"/status")
		if stat == nil || strings.HasPrefix(stat["State"], "Z") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %s lives on", pid)
}

// running returns the processes whose command line names the script.
func running(script string) (pids []string) {
	time.Sleep(50 * time.Millisecond)
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && bytes.Contains(line, []byte(script)) {
			pids = append(pids, filepath.Base(filepath.Dir(f)))
		}
	}
	return pids
}

func TestAChildThatLeavesTheGroupAndHoldsTheOutputDelaysNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, want string }{
		{"the script ends", `setsid sleep 5 & exit 3`, "exit status 3"},
		{"the script does not end", `setsid sleep 5 & sleep 5`, "no exit in 500ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantCause(t, scriptCheck(500*time.Millisecond, programtest.Shell(t, tt.body)), refusing(t), tt.want)
		})
	}
}

func TestScriptsLeaveNoFilesThreadsOrProcessesBehind(t *testing.T) {
	p, err := NewProber(scriptCheck(5*time.Second, programtest.Shell(t, "exit 1")), refusing(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Probe(t.Context())
	files := openFiles(t)
	for range 30 {
		if r := p.Probe(t.Context()); r.Cause != "exit status 1" {
			t.Fatalf("%+v", r)
		}
	}
	if now := openFiles(t); now > files+3 { // other tests run beside
		t.Errorf("%d files open, %d before", now, files)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err == nil && pid > 0 {
		t.Errorf("process %d was not reaped", pid)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func TestCheckScriptNamesTheComponentAtFault(t *testing.T) {
	t.Parallel()
	if err := CheckScript("/bin/true"); err != nil {
		t.Error(err)
	}
	name := programtest.Dir(t) + "/a/check"
	want := "script " + name + ": " + filepath.Dir(name) + ": no such file or directory"
	if err := CheckScript(name); err == nil || err.Error() != want {
		t.Errorf("CheckScript(%q) = %v, want %q", name, err, want)
	}
}

func TestAScriptThatCannotRunFailsAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	name := filepath.Join(programtest.Dir(t), "late")
	p, err := NewProber(scriptCheck(5*time.Second, name), refusing(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := "script " + name + ": " + name + ": no such file or directory"
	if r := p.Probe(t.Context()); r.OK || r.Local || r.Cause != want {
		t.Errorf("%+v, want cause %q", r, want)
	}
	write := func(text string) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write("#!/bin/sh\n")
	if r := p.Probe(t.Context()); !r.OK {
		t.Errorf("%+v after the script came, want a pass", r)
	}
	write("not a program")
	if r := p.Probe(t.Context()); r.OK || r.Cause != "script "+name+": exec format error" {
		t.Errorf("%+v, want exec format error", r)
	}
}

func TestOneUserIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		if _, err := program.UserFor("root"); err == nil {
			t.Error("an agent that is not root took root for scripts")
		}
		t.Skip("needs root")
	}
	out := programtest.Drop(t)
	c := scriptCheck(5*time.Second, programtest.Shell(t, `id -u >"$1"`), out)
	c.User = "nobody"
	wantCause(t, c, refusing(t), "")
	got, err := os.ReadFile(out)
	if uid, aerr := strconv.Atoi(strings.TrimSpace(string(got))); err != nil || aerr != nil || uid == 0 {
		t.Errorf("the script ran as %q", got)
	}
}
