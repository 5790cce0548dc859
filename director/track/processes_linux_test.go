package track

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/program/programtest"
)

// sleeper returns a program of that name which sleeps.
func sleeper(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/" + name
	programtest.Executable(t, path, text)
	return path
}

// run starts a program, and returns its number and what ends it.
func run(t *testing.T, path string, args ...string) (pid int32, end func()) {
	t.Helper()
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	t.Cleanup(end)
	return int32(cmd.Process.Pid), end
}

func few(n int, name string) string {
	return fmt.Sprintf("%d processes %q run, at least 1 are wanted", n, name)
}

func TestProcessesAreCounted(t *testing.T) {
	t.Parallel()
	short := fmt.Sprintf("q%d", os.Getpid())
	long := fmt.Sprintf("quorate-%d-long-name", os.Getpid())
	path := sleeper(t, short)
	line := path + " 96"
	r := New(Config{})
	r.Set([]Spec{
		{Name: "pair", Kind: Process, Process: short, AtLeast: 2, AtMost: 2},
		{Name: "long", Kind: Process, Process: long},
		{Name: "line", Kind: Process, Process: line, CommandLine: true},
	})
	start(t, r)
	await(t, r, "pair", Failing, fmt.Sprintf("0 processes %q run, at least 2 are wanted", short))
	await(t, r, "long", Failing, few(0, long))
	await(t, r, "line", Failing, few(0, line))
	_, end := run(t, path, "97")
	await(t, r, "pair", Failing, fmt.Sprintf("1 processes %q run, at least 2 are wanted", short))
	run(t, path, "98")
	await(t, r, "pair", Passing, "")
	await(t, r, "line", Failing, few(0, line))
	run(t, path, "96")
	await(t, r, "line", Passing, "")
	await(t, r, "pair", Failing, fmt.Sprintf("3 processes %q run, at most 2 are wanted", short))
	end()
	await(t, r, "pair", Passing, "")

	run(t, sleeper(t, long[:maxComm]+"-other"), "97") // alike, as far as the kernel keeps names
	_, end = run(t, sleeper(t, long), "97")
	await(t, r, "long", Passing, "")
	end()
	await(t, r, "long", Failing, few(0, long))
}

// TestTheKernelTellsOfProcesses is what makes a process that ends known before the next scan.
func TestTheKernelTellsOfProcesses(t *testing.T) {
	c, err := openConnector()
	if err != nil {
		t.Skip("needs the kernel's process connector: ", err)
	}
	defer c.close()
	path := sleeper(t, "told")
	pid, end := run(t, path, "97")
	seen := map[uint32]bool{}
	until := time.Now().Add(5 * time.Second)
	for !seen[processExited] {
		e, ok, err := c.next(t.Context(), until)
		if err != nil {
			t.Fatalf("after %v: %v", seen, err)
		}
		if ok && e.what == processForked && e.child == pid && e.tail == pid || ok && e.tgid == pid {
			seen[e.what] = true
		}
		if seen[processExeced] {
			end()
		}
	}
	if !seen[processForked] {
		t.Error("the process was not seen to fork")
	}
}

func TestEventsKeepTheTableOfProcesses(t *testing.T) {
	t.Parallel()
	pid, end := run(t, sleeper(t, "table"), "97")
	p := &processes{table: map[int32]process{1: {name: "init"}}}
	is := func(pid int32) string { return p.table[pid].name }
	for _, tt := range []struct {
		name    string
		event   processEvent
		changed bool
		about   int32
		want    string
	}{
		{"a fork is what its parent is", processEvent{what: processForked, pid: 1, tgid: 1, child: 77, tail: 77}, true, 77, "init"},
		{"a thread is no process", processEvent{what: processForked, pid: 1, tgid: 1, child: 78, tail: 1}, false, 78, ""},
		{"a fork of one that is not in it", processEvent{what: processForked, pid: 5, tgid: 5, child: 79, tail: 79}, false, 79, ""},
		{"the end of a thread", processEvent{what: processExited, pid: 78, tgid: 77}, false, 77, "init"},
		{"the end of a process", processEvent{what: processExited, pid: 77, tgid: 77}, true, 77, ""},
		{"another program", processEvent{what: processExeced, pid: pid, tgid: pid}, true, pid, "table"},
	} {
		if changed := p.apply(tt.event); changed != tt.changed || is(tt.about) != tt.want {
			t.Errorf("%s: changed %v, process %d is %q; want %v, %q", tt.name, changed, tt.about, is(tt.about), tt.changed, tt.want)
		}
	}
	end()
	if p.apply(processEvent{what: processExeced, pid: pid, tgid: pid}); is(pid) != "" {
		t.Error("a process that has ended meanwhile is in the table")
	}
}

func TestDeadProcessesAndTheKernelsOwnDoNotCount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		stat, name string
		ok         bool
	}{
		{"7 (nginx) S 1 7 7 0 -1 4194560 1 2", "nginx", true},
		{"7 (a (b) c) R 1 7 7 0 -1 4194560 1 2", "a (b) c", true},
		{"7 (nginx) Z 1 7 7 0 -1 4194560 1 2", "nginx", false},
		{"7 (kswapd0) S 2 0 0 0 -1 2129984 1 2", "kswapd0", false},
		{"7 (cut) S 1", "", false},
		{"", "", false},
	} {
		if name, ok := parseStat([]byte(tt.stat)); ok != tt.ok || ok && name != tt.name {
			t.Errorf("parseStat(%q) = %q, %v; want %q, %v", tt.stat, name, ok, tt.name, tt.ok)
		}
	}
}

func FuzzParseProcessEvent(f *testing.F) {
	b := make([]byte, netlinkHeader+connectorHeader+eventHeader+16)
	native.PutUint32(b[netlinkHeader:], connectorIndex)
	native.PutUint32(b[netlinkHeader+connectorHeader:], processForked)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, ok := parseProcessEvent(b); ok && e.what == 0 {
			t.Errorf("%+v", e)
		}
	})
}

func TestWithoutTheKernelsWordProcessesAreReadEachSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		p := &processes{open: func() (*connector, error) { return nil, errors.New("no connector") }}
		scans := 0
		p.watch(ctx, New(Config{}).cfg.Log, func() { scans++ })
		if scans != 3 {
			t.Errorf("%d scans in 2.5 s, want 3", scans)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	p := &processes{}
	for b.Loop() {
		p.scan()
	}
	b.ReportMetric(float64(len(p.table)), "processes")
}
