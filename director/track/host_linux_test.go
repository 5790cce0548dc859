package track

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/program/programtest"
)

// newNamespace puts the test's goroutine into a network namespace of its own, with a pair of
// interfaces, qa and qb, that are up.
func newNamespace(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make a network namespace: %v", err)
	}
	ip(t, "link add qa type veth peer name qb")
	ip(t, "link set qa up")
	ip(t, "link set qb up")
}

func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", args, err, out)
	}
}

// start runs a runner in the network namespace of the test until the test ends.
func start(t *testing.T, r *Runner) {
	t.Helper()
	runtime.LockOSThread()
	ns, err := os.Open("/proc/thread-self/ns/net")
	runtime.UnlockOSThread()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil && os.Getuid() == 0 {
			t.Error(err)
		}
		ended <- r.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
		ns.Close()
	})
}

// await waits for a track to be in a state for a reason.
func await(t *testing.T, r *Runner, name string, state State, reason string) {
	t.Helper()
	var got Result
	for range 1000 {
		if got = r.Results()[name]; got.State == state && got.Reason == reason {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("after 10 s: %+v, want it %s %q", got, state, reason)
}

func TestAnInterfaceIsFollowed(t *testing.T) {
	for _, tt := range []struct {
		name string
		deaf bool // to what the kernel tells
		spec Spec
	}{
		{"by what the kernel tells", false, Spec{Interval: time.Hour}},
		{"by looking again", true, Spec{Interval: 50 * time.Millisecond}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newNamespace(t)
			r := New(Config{})
			if tt.deaf {
				r.sources = &deaf{newHost(hclog.NewNullLogger())}
			}
			spec := tt.spec
			spec.Name, spec.Kind, spec.Interface = "link", Interface, "qa"
			r.Set([]Spec{spec})
			start(t, r)
			await(t, r, "link", Passing, "")
			ip(t, "link set qb down")
			await(t, r, "link", Failing, "interface qa has no carrier")
			ip(t, "link set qb up")
			await(t, r, "link", Passing, "")
			ip(t, "link set qa down")
			await(t, r, "link", Failing, "interface qa is set down")
			ip(t, "link del qa")
			await(t, r, "link", Failing, "there is no interface qa")
			ip(t, "link add qa type veth peer name qb")
			ip(t, "link set qa up")
			ip(t, "link set qb up")
			await(t, r, "link", Passing, "")
		})
	}
}

// deaf is a host whose kernel tells nothing.
type deaf struct{ *host }

func (d *deaf) open(ctx context.Context, wg *sync.WaitGroup, _ func(Kind)) func() {
	return d.host.open(ctx, wg, func(Kind) {})
}

func TestLostEventsAreAReasonToLook(t *testing.T) {
	newNamespace(t)
	var both [2]*links
	for i := range both {
		l, err := openLinks()
		if err != nil {
			t.Fatal(err)
		}
		defer l.close()
		if err := l.events.raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1)
		}); err != nil {
			t.Fatal(err)
		}
		both[i] = l
	}
	for range 10 {
		ip(t, "link set qa down")
		ip(t, "link set qa up")
	}
	if _, err := both[0].events.receive(t.Context(), time.Now().Add(time.Second)); !errors.Is(err, errLost) {
		t.Fatalf("with a queue that is too short: %v, want %v", err, errLost)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	looks := 0
	if err := both[1].watch(ctx, func() { looks++; cancel() }); err != nil || looks != 1 {
		t.Errorf("watch = %v after %d looks", err, looks)
	}
}

func TestAFileIsReadAsANumber(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	five := write("five", "5\n")
	for _, tt := range []struct {
		name string
		spec Spec
		want Observation
	}{
		{"a number", Spec{Path: five}, Observation{Value: 5, Reason: five + " holds 5"}},
		{"zero", Spec{Path: write("zero", "0")}, Observation{OK: true}},
		{"below zero, and more", Spec{Path: write("more", " -12 # because\nof that")}, Observation{Value: -12, Reason: dir + "/more holds -12"}},
		{"missing", Spec{Path: dir + "/none"}, Observation{OK: true}},
		{"missing, with a value", Spec{Path: dir + "/none", Missing: 3},
			Observation{Value: 3, Reason: dir + "/none: no such file or directory: taken for 3"}},
		{"missing, and that is a fault", Spec{Path: dir + "/none", MissingFails: true},
			Observation{Fault: true, Reason: dir + "/none: no such file or directory"}},
		{"empty", Spec{Path: write("empty", ""), MissingFails: true}, Observation{Fault: true, Reason: dir + "/empty: no number in it"}},
		{"words", Spec{Path: write("words", "five"), MissingFails: true}, Observation{Fault: true, Reason: dir + "/words: no number in it"}},
		{"words, taken for nothing", Spec{Path: dir + "/words"}, Observation{OK: true}},
		{"a pipe", Spec{Path: pipe, MissingFails: true}, Observation{Fault: true, Reason: pipe + ": not a regular file"}},
		{"a directory", Spec{Path: dir, MissingFails: true}, Observation{Fault: true, Reason: dir + ": not a regular file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := lookAtFile(t.Context(), tt.spec); got != tt.want || !ok {
				t.Errorf("%+v, %v; want %+v", got, ok, tt.want)
			}
		})
	}
}

func TestAFileThatIsBeingWrittenIsNotTakenForMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "number")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		go func() {
			time.Sleep(rewriting / 5)
			f.WriteString("5\n")
		}()
		if got, _ := lookAtFile(t.Context(), Spec{Path: path, MissingFails: true}); got.Value != 5 {
			t.Errorf("%+v, want 5", got)
		}
	})
}

func TestAScriptIsFollowed(t *testing.T) {
	t.Parallel()
	dir := programtest.Dir(t)
	script, switched, pids := dir+"/check", dir+"/switch", dir+"/pids"
	for _, name := range []string{switched, pids} {
		if err := os.WriteFile(name, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	turn := func(text string) {
		if err := os.WriteFile(switched, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	programtest.Executable(t, script, []byte(`#!/bin/sh
[ "$QUORATE_TRACK" = db ] || exit 9
case $(cat "$1") in
down) echo no answer >&2; exit 3;;
slow) sleep 97 & echo $! >>"$2"; echo $$ >>"$2"; sleep 97;;
esac
`))
	r := New(Config{})
	spec := Spec{Name: "db", Kind: Script, Command: []string{script, switched, pids}, Interval: 50 * time.Millisecond, Timeout: 2 * time.Second, Fall: 2}
	r.Set([]Spec{spec, {Name: "none", Kind: Script, Command: []string{dir + "/none"}}})
	start(t, r)
	await(t, r, "none", Failing, "script "+dir+"/none: "+dir+"/none: no such file or directory")
	await(t, r, "db", Passing, "")
	turn("down")
	await(t, r, "db", Failing, "exit status 3: no answer")
	turn("")
	await(t, r, "db", Passing, "")
	spec.Timeout = 300 * time.Millisecond
	r.Set([]Spec{spec})
	turn("slow")
	await(t, r, "db", Failing, "no exit in 300ms")
	turn("")
	await(t, r, "db", Passing, "")
	text, err := os.ReadFile(pids)
	if err != nil || len(text) == 0 {
		t.Fatalf("the script left no process ids: %v", err)
	}
	for pid := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(pid); err != nil || unix.Kill(n, 0) == nil && !dead(pid) {
			t.Errorf("process %s lives on, %v", pid, err)
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chmod(script, 0o757); err != nil {
			t.Fatal(err)
		}
		await(t, r, "db", Failing, "script "+script+": "+script+": writable by others (mode 0757)")
	}
}

func dead(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	_, alive := parseStat(stat)
	return err != nil || !alive
}

func TestAScriptIsRefusedBeforeItRunsWithTheComponentAtFault(t *testing.T) {
	t.Parallel()
	if err := CheckScript("/bin/true", ""); err != nil {
		t.Error(err)
	}
	if err := CheckScript("/bin/true", "no-such-user"); err == nil {
		t.Error("a script of a user who is not there was taken")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, who minds what others could change")
	}
	dir := programtest.Dir(t)
	programtest.Executable(t, dir+"/check", []byte("#!/bin/sh\n"))
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	want := "script " + dir + "/check: " + dir + ": writable by others (mode 0777)"
	if err := CheckScript(dir+"/check", ""); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
