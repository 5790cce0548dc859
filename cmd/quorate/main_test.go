package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata; review the difference")

func TestMain(m *testing.M) {
	time.Local = time.UTC // times are printed as the reader's
	os.Exit(m.Run())
}

// TestTranscripts runs the commands in testdata/*.txt and compares what they print. A line that begins
// with "> " is a command; below it is its standard output, its standard error with "2| " before each
// line, and its exit code if that is not 0. The file's name says which agent answers.
func TestTranscripts(t *testing.T) {
	agents := map[string]api.Agent{"no-agent": nil, "alone": alone{}, "whole": &whole{}, "trouble": &trouble{}, "former": former{}}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) != len(agents) {
		t.Fatalf("transcripts %v, agents %v: %v", files, agents, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			a, ok := agents[name]
			if !ok {
				t.Fatalf("no agent for %s", file)
			}
			t.Chdir("testdata")
			socket := "/nowhere/quorate.sock"
			if a != nil {
				socket = serve(t, a)
			}
			t.Setenv("QUORATE_SOCKET", socket)
			want, err := os.ReadFile(name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			got := transcript(string(want), socket)
			if *update {
				if err := os.WriteFile(name+".txt", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// transcript runs every command of a transcript again.
func transcript(text, socket string) string {
	var b strings.Builder
	asking := false // whether the lines are of a command's output
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(line, "> quorate")
		switch {
		case ok:
			b.WriteString(line)
			asking = true
			b.WriteString(strings.NewReplacer(socket, "SOCKET", runtime.Version(), "GOVERSION").Replace(perform(strings.Fields(command))))
		case strings.HasPrefix(line, "#"):
			if asking {
				b.WriteByte('\n')
			}
			asking = false
			b.WriteString(line)
		}
	}
	return b.String()
}

// perform runs one command and writes down what it did.
func perform(args []string) string {
	var out, errOut bytes.Buffer
	code := run(args, strings.NewReader(""), &out, &errOut)
	var text strings.Builder
	text.WriteString(out.String())
	for line := range strings.Lines(errOut.String()) {
		text.WriteString("2| " + line)
	}
	if code != 0 {
		fmt.Fprintf(&text, "exit %d\n", code)
	}
	return text.String()
}

// serve serves an agent on a unix socket, and returns its path.
func serve(t *testing.T, a api.Agent) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cli") // short: the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: api.Handler(a, asRoot)}}
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return path
}

// asRoot is who asks the agents of these tests.
func asRoot(context.Context) api.Caller {
	return api.Caller{Name: "root", Role: fsm.RoleAdmin, Local: true}
}

func TestApplyShowsThePlanAndAsks(t *testing.T) {
	for _, tt := range []struct {
		answer  string
		code    int
		applied bool
	}{
		{"y\n", 0, true}, {"YES\n", 0, true}, {"n\n", 1, false}, {"\n", 1, false}, {"what?\n", 1, false}, {"\x04", 1, false},
	} {
		t.Run(strconv.Quote(tt.answer), func(t *testing.T) {
			a := &whole{}
			master, terminal := openTerminal(t)
			if _, err := master.WriteString(tt.answer); err != nil {
				t.Fatal(err)
			}
			var out, errOut bytes.Buffer
			code := run([]string{"apply", "testdata/new.hcl", "--socket", serve(t, a)}, terminal, &out, &errOut)
			if code != tt.code || (len(a.applied) == 1) != tt.applied {
				t.Errorf("exit %d, applied %v", code, a.applied)
			}
			if !strings.Contains(out.String(), "router") || !strings.Contains(errOut.String(), "apply this? [y/N]") {
				t.Errorf("printed %q, asked %q", out.String(), errOut.String())
			}
			if !tt.applied && !strings.Contains(errOut.String(), "not applied") {
				t.Errorf("said %q", errOut.String())
			}
		})
	}
}

// TestTermsReachTheAgent gives each command that changes the configuration all of its flags.
func TestTermsReachTheAgent(t *testing.T) {
	for _, args := range [][]string{
		{"apply", "testdata/new.hcl", "--yes"}, {"rollback", "6", "--yes"},
		{"set", "router", "web", "interval=2s"}, {"remove", "router", "web"},
	} {
		a := &whole{}
		var out, errOut bytes.Buffer
		code := run(append(args, "-m", "for the sale", "--confirm", "90s", "--revert-below", "50%", "--socket", serve(t, a)), strings.NewReader(""), &out, &errOut)
		if code != 0 || len(a.terms) != 1 || a.terms[0].Author == "" {
			t.Errorf("%v: exit %d, %+v, %s", args, code, a.terms, errOut.String())
			continue
		}
		a.terms[0].Author = ""
		if want := (api.Terms{Message: "for the sale", Confirm: 90 * time.Second, RevertBelow: 50}); a.terms[0] != want {
			t.Errorf("%v: %+v, want %+v", args, a.terms[0], want)
		}
		if !strings.Contains(out.String(), "it is taken back at 2026-11-01 12:01:30") {
			t.Errorf("%v does not say when it is taken back: %s", args, out.String())
		}
	}
}

// TestNoTimeToConfirmIsRefused gives a time that the agent would take for none: the change would stay.
func TestNoTimeToConfirmIsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"apply", "testdata/new.hcl", "--yes"}, {"rollback", "6", "--yes"},
		{"set", "router", "web", "interval=2s"}, {"add", "service", "mail", "address=192.0.2.9:25"}, {"remove", "router", "web"},
	} {
		for _, wait := range []string{"0s", "0", "-5s", "1000h"} {
			a := &whole{}
			_, errOut, code := quorate(t, a, nil, append(args, "--confirm", wait)...)
			if code != exitError || len(a.terms) > 0 || !strings.Contains(errOut, "it must be 1s to 24h0m0s; nothing was applied") {
				t.Errorf("%v --confirm %s: exit %d, asked for %+v, said %q", args, wait, code, a.terms, errOut)
			}
		}
	}
}

// TestASignalEndsWhatWaitsForAPipe has files that nobody ever writes into.
func TestASignalEndsWhatWaitsForAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	including := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(including, []byte("include "+pipe+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	for _, args := range [][]string{
		{"validate", pipe}, {"validate", "-"}, {"import", "keepalived", pipe}, {"import", "keepalived", including}, {"import", "ldirectord", pipe},
		{"agent", "--config", pipe}, {"keeper", "--config", pipe}, {"key", "rotate", "ca", "--ca-cert", pipe, "--ca-key", pipe},
		{"status", "--address", "192.0.2.1", "--cert", pipe},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		root := rootCommand()
		root.SetArgs(args)
		root.SetIn(read)
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		ended := make(chan error, 1)
		go func() { ended <- root.ExecuteContext(ctx) }()
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%q: %v", args, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%q waits for ever", args)
		}
	}
}

// tried is an agent of a cluster whose revision waits to be confirmed.
type tried struct{ whole }

func (*tried) Plan(context.Context, api.ApplyRequest) (api.Plan, error) {
	return api.Plan{Base: 7, Until: noon, Problems: config.Problems{}}, nil
}

func (*tried) Apply(context.Context, api.ApplyRequest) (api.ApplyResult, error) {
	return api.ApplyResult{}, fmt.Errorf("%w: revision 7", fsm.ErrOnTrial)
}

func (*tried) PlanRestore(context.Context, api.RestoreRequest) (api.Plan, error) {
	return api.Plan{Base: 7, Until: noon, Problems: config.Problems{}}, nil
}

func (*tried) Restore(context.Context, api.RestoreRequest) (api.ApplyResult, error) {
	return api.ApplyResult{}, fmt.Errorf("%w: revision 7", fsm.ErrOnTrial)
}

func TestASavedStateThatIsThereOnTrialIsNotSaidToBeThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, savedText(t, aState(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := quorate(t, &tried{}, nil, "snapshot", "restore", file, "--yes")
	if code != exitError || out != "" || !strings.Contains(errOut, "a change waits to be confirmed: revision 7") {
		t.Errorf("exit %d, %q, %q", code, out, errOut)
	}
}

func TestAFileThatIsThereOnTrialIsNotSaidToBeThere(t *testing.T) {
	out, errOut, code := quorate(t, &tried{}, nil, "plan", "testdata/same.hcl")
	if code != 0 || !strings.Contains(out, "revision 7, which waits for `quorate confirm`: it is taken back at 2026-11-01 12:00:00.000 unless that comes") {
		t.Errorf("plan: exit %d, %q, %q", code, out, errOut)
	}
	if out, _, _ := quorate(t, &tried{}, nil, "plan", "testdata/same.hcl", "-o", "json"); !strings.Contains(out, `"until": "2026-11-01T12:00:00Z"`) {
		t.Errorf("plan -o json: %s", out)
	}
	out, errOut, code = quorate(t, &tried{}, nil, "apply", "testdata/same.hcl", "--yes")
	if code != exitError || out != "" || !strings.Contains(errOut, "a change waits to be confirmed: revision 7") {
		t.Errorf("apply: exit %d, %q, %q", code, out, errOut)
	}
}

// openTerminal returns both ends of a new terminal.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return master, terminal
}

// interrupter is an agent during whose work a person presses Ctrl-C.
type interrupter struct{ whole }

func (i *interrupter) wait(ctx context.Context) error {
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (i *interrupter) Init(ctx context.Context, _ api.Progress) error { return i.wait(ctx) }

func (i *interrupter) Join(ctx context.Context, _ api.JoinRequest, _ api.Progress) error {
	return i.wait(ctx)
}

func (i *interrupter) Leave(ctx context.Context, _ api.LeaveRequest, _ api.Progress) error {
	return i.wait(ctx)
}

func (i *interrupter) Drain(ctx context.Context, _ api.DrainRequest, _ api.Progress) error {
	return i.wait(ctx)
}

func (i *interrupter) Move(ctx context.Context, _ api.MoveRequest, _ api.Progress) error {
	return i.wait(ctx)
}

func (i *interrupter) Apply(ctx context.Context, _ api.ApplyRequest) (api.ApplyResult, error) {
	return api.ApplyResult{}, i.wait(ctx)
}

func (i *interrupter) Confirm(ctx context.Context, _ api.ConfirmRequest) (api.ApplyResult, error) {
	return api.ApplyResult{}, i.wait(ctx)
}

func (i *interrupter) Edit(ctx context.Context, _ api.EditRequest) (api.ApplyResult, error) {
	return api.ApplyResult{}, i.wait(ctx)
}

// RotateKey has begun nothing when it is interrupted, but of the CA.
func (i *interrupter) RotateKey(ctx context.Context, r api.RotateRequest, p api.Progress) error {
	if r.What == "ca" {
		p("5e4f3021 signs")
		<-ctx.Done() // who reads that interrupts
		return ctx.Err()
	}
	return i.wait(ctx)
}

func (i *interrupter) Events(ctx context.Context, _ uint64, wait bool) ([]api.Event, error) {
	if !wait {
		return []api.Event{}, nil // there are none
	}
	return nil, i.wait(ctx)
}

func TestCtrlCSaysWhatBecomesOfWhatWasBegun(t *testing.T) {
	socket := serve(t, &interrupter{})
	for _, tt := range []struct {
		args, want string
		code       int
	}{
		{"init", "quorate: interrupted: `quorate status` shows whether the cluster was made\n", 1},
		{"join 192.0.2.1 --token x", "quorate: interrupted: if `quorate status` shows no cluster, the same command goes on where it stopped; else the agent goes on by itself\n", 1},
		{"leave", "quorate: interrupted: the agent goes on leaving; `quorate status` shows when it is in no cluster\n", 1},
		{"drain director d1", "quorate: interrupted: d1 goes on draining; `quorate enable director d1` ends that\n", 1},
		{"move web d2", "quorate: interrupted: the move goes on; `quorate status` shows who owns web\n", 1},
		{"key rotate gossip", "quorate: interrupted: no rotation is known to have begun; `quorate key status` shows whether one has\n", 1},
		{"apply testdata/new.hcl --yes -o json", "quorate: interrupted: it is not known whether the change was applied, and `quorate history` shows it\n", 1},
		{"set service web scheduler=rr", "quorate: interrupted: it is not known whether the change was applied, and `quorate history` shows it\n", 1},
		{"confirm", "quorate: interrupted: it is not known whether the change was confirmed, and `quorate history` shows it\n", 1},
		{"events --follow", "", 0},
	} {
		t.Run(tt.args, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code := run(append(strings.Fields(tt.args), "--socket", socket), strings.NewReader(""), &out, &errOut)
			if code != tt.code || errOut.String() != tt.want || out.Len() > 0 {
				t.Errorf("exit %d: %q, want %q; printed %q", code, errOut.String(), tt.want, out.String())
			}
		})
	}
}

// dying is an agent that ends while it works.
type dying struct{ whole }

func (dying) Apply(context.Context, api.ApplyRequest) (api.ApplyResult, error) {
	panic(http.ErrAbortHandler)
}

func (dying) Edit(context.Context, api.EditRequest) (api.ApplyResult, error) {
	panic(http.ErrAbortHandler)
}

func (dying) Confirm(context.Context, api.ConfirmRequest) (api.ApplyResult, error) {
	panic(http.ErrAbortHandler)
}

func (dying) History(context.Context) ([]api.Revision, error) { panic(http.ErrAbortHandler) }

func TestAChangeOfWhichNothingIsHeardMayHaveBeenMade(t *testing.T) {
	socket := serve(t, &dying{})
	const shows = "and `quorate history` shows it"
	for args, want := range map[string]string{
		"apply testdata/new.hcl --yes -o json": "whether the change was applied, " + shows,
		"set service web scheduler=rr":         "whether the change was applied, " + shows,
		"confirm":                              "whether the change was confirmed, " + shows,
		"history":                              "",
	} {
		var out, errOut bytes.Buffer
		code := run(append(strings.Fields(args), "--socket", socket), strings.NewReader(""), &out, &errOut)
		if said := errOut.String(); code != 1 || !strings.Contains(said, want) || want == "" && strings.Contains(said, shows) {
			t.Errorf("%s: exit %d: %q, want %q", args, code, said, want)
		}
		if want == "" {
			continue
		}
		errOut.Reset()
		code = run(append(strings.Fields(args), "--socket", socket+".none"), strings.NewReader(""), &out, &errOut)
		if said := errOut.String(); code != 1 || strings.Contains(said, shows) {
			t.Errorf("%s, asked of nobody: exit %d: %q", args, code, said)
		}
	}
}

// impatient interrupts this process as soon as it is told something.
type impatient struct {
	bytes.Buffer
	at string
}

func (i *impatient) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(i.at)) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			return 0, err
		}
	}
	return i.Buffer.Write(b)
}

func TestCtrlCSaysThatARotationGoesOnOnceItHasBegun(t *testing.T) {
	var out bytes.Buffer
	errOut := impatient{at: "signs"}
	code := run([]string{"key", "rotate", "ca", "--socket", serve(t, &interrupter{})}, strings.NewReader(""), &out, &errOut)
	if want := "5e4f3021 signs\nquorate: interrupted: the rotation goes on; `quorate key status` shows how far it is\n"; code != 1 || errOut.String() != want {
		t.Errorf("exit %d: %q, want %q", code, errOut.String(), want)
	}
}

func TestCtrlCIsAnAnswerToAQuestion(t *testing.T) {
	_, terminal := openTerminal(t)
	errOut := impatient{at: "[y/N]"}
	ended := make(chan int, 1)
	go func() {
		ended <- run([]string{"apply", "testdata/new.hcl", "--socket", serve(t, &whole{})}, terminal, io.Discard, &errOut)
	}()
	select {
	case code := <-ended:
		if code != 1 || !strings.HasSuffix(errOut.String(), "apply this? [y/N] \nquorate: not applied\n") {
			t.Errorf("exit %d, said %q", code, errOut.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it still waits for an answer")
	}
}

// full is a standard output that nothing fits on.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

var _ io.Writer = full{}

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	socket := serve(t, &whole{})
	for _, args := range []string{"status", "status -o json", "members", "members -o json", "show", "show -o json", "token list", "token create", "events", "events -o json", "plan testdata/new.hcl", "version"} {
		t.Run(args, func(t *testing.T) {
			var errOut bytes.Buffer
			if code := run(append(strings.Fields(args), "--socket", socket), strings.NewReader(""), full{}, &errOut); code != 1 {
				t.Errorf("exit %d, said %q", code, errOut.String())
			}
		})
	}
}
