// Package scripts holds the shell scripts of the repository, and their tests. The tests run a script with
// a PATH of fakes, so they never install anything.
package scripts

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// all is what `setup demo test` wants.
const all = "user-mode-linux ipvsadm iproute2 kmod procps util-linux iputils-ping curl iptables nftables tcpdump tshark systemd keepalived frr perl busybox-static gcc libc6-dev"

// A machine is what the script finds: programs that are fakes, and who runs it.
type machine struct {
	installed string // packages
	uid       int
	without   string // programs that are not there
	sudoWorks bool   // without a password
	aptFails  string // "update" or "install"
	env       []string
	answer    string // what is typed; "" is no terminal
}

// fakes are the programs that the script may call, as shell scripts. Each call of apt-get is written to
// the file $LOG, with the variable that keeps it from asking.
var fakes = map[string]string{
	"go":         `exit 0`,
	"id":         `echo "$FAKE_UID"`,
	"dpkg-query": `[ "$1 $2" = "-W -f" ] || exit 9; shift 3; status=0; for p in "$@"; do case " $FAKE_INSTALLED " in *" $p "*) printf 'installed=%s ' "$p";; *) printf 'not-installed=%s ' "$p"; status=1;; esac; done; exit $status`,
	"apt-get":    `echo "apt-get $* [$DEBIAN_FRONTEND]" >>"$LOG"; case " $* " in *" install "*) if [ -x "$SETUP_POLICY" ]; then "$SETUP_POLICY"; echo "policy $?" >>"$LOG"; fi;; esac; case " $* " in *" $FAKE_FAILS "*) exit 100;; esac`,
	"systemctl":  `echo "systemctl $*" >>"$LOG"`,
	"sudo":       `if [ "$1" = -n ]; then [ -n "$FAKE_SUDO" ]; exit; fi; echo "sudo" >>"$LOG"; exec "$@"`,
}

// run runs setup on the machine. It returns the exit status, what was said and the calls of apt-get.
func (m machine) run(t *testing.T, args ...string) (status int, said, calls string) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range fakes {
		if !strings.Contains(" "+m.without+" ", " "+name+" ") {
			write(t, filepath.Join(dir, name), "#!/bin/sh\n"+body+"\n")
		}
	}
	for _, name := range []string{"sh", "cat", "tr", "env", "rm", "chmod"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	log, policy := filepath.Join(dir, "log"), filepath.Join(dir, "policy")
	cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"setup"}, args...)...)
	cmd.Env = append([]string{"PATH=" + dir, "LOG=" + log, fmt.Sprint("FAKE_UID=", m.uid), "FAKE_INSTALLED=" + m.installed, "FAKE_FAILS=" + m.aptFails, "SETUP_POLICY=" + policy}, m.env...)
	if m.sudoWorks {
		cmd.Env = append(cmd.Env, "FAKE_SUDO=1")
	}
	if m.answer != "" {
		said = onTerminal(t, cmd, m.answer)
	} else {
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		finish(t, cmd.Run())
		said = out.String()
	}
	if _, err := os.Stat(policy); err == nil {
		t.Error("the policy that keeps services from being started was not taken back")
	}
	text, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said, string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// finish accepts a command that exits with any status.
func finish(t *testing.T, err error) {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || !exit.Exited()) {
		t.Fatal(err)
	}
}

// onTerminal runs cmd with a terminal and types an answer there. It returns what the terminal showed.
func onTerminal(t *testing.T, cmd *exec.Cmd, answer string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if _, err := master.WriteString(answer); err != nil {
		t.Fatal(err)
	}
	var shown bytes.Buffer
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		shown.ReadFrom(master) // ends with an error when the last user of the other end is gone
	}()
	err = cmd.Run()
	slave.Close()
	finish(t, err)
	<-copied
	return strings.ReplaceAll(shown.String(), "\r", "")
}

const install = "apt-get -qq update [noninteractive]\napt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends --no-remove "

func TestSetup(t *testing.T) {
	allBut := func(name string) string { return strings.ReplaceAll(" "+all+" ", " "+name+" ", " ") }
	for _, tt := range []struct {
		name   string
		on     machine
		args   string
		status int
		says   []string // nil: nothing at all
		calls  string
	}{
		{"does nothing when all is there", machine{installed: all, uid: 1000}, "demo test", 0, nil, ""},
		{"does nothing when a tool of another work is missing", machine{installed: allBut("gcc"), uid: 1000}, "demo", 0, nil, ""},
		{"installs by itself as root with nobody there", machine{installed: allBut("tshark")}, "demo test", 0,
			[]string{"tshark", "an independent judge of our VRRP packets"}, install + "tshark [noninteractive]\n"},
		{"installs for the work that is asked for", machine{installed: allBut("gcc")}, "test", 0, []string{"gcc", "the race detector needs cgo"}, install + "gcc [noninteractive]\n"},
		{"installs through a sudo that does not ask", machine{installed: allBut("gcc"), uid: 1000, sudoWorks: true}, "test", 0,
			[]string{"gcc"}, "sudo\n" + strings.ReplaceAll(install, "\n", "\nsudo\n") + "gcc [noninteractive]\n"},
		{"prints the command where it may not", machine{installed: allBut("gcc"), uid: 1000}, "test", 3,
			[]string{"Run: sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc"}, ""},
		{"goes on when the lists cannot be renewed", machine{installed: allBut("gcc"), aptFails: "update"}, "test", 0,
			[]string{"going on with the lists"}, install + "gcc [noninteractive]\n"},
		{"says which command failed", machine{installed: allBut("gcc"), aptFails: "install"}, "test", 1,
			[]string{"could not install", "apt-get install -y --no-install-recommends gcc"}, install + "gcc [noninteractive]\n"},
		{"installs daemons without starting them, now or at boot", machine{installed: allBut("frr")}, "test", 0,
			[]string{"frr", "a third one"}, install + "frr [noninteractive]\npolicy 101\nsystemctl --quiet disable frr\n"},
		{"leaves the policy of a machine that has one", machine{installed: allBut("frr"), env: []string{"SETUP_POLICY=/dev/null"}, without: "systemctl"}, "test", 0,
			[]string{"frr"}, install + "frr [noninteractive]\n"},
		{"takes the policy back when apt-get fails", machine{installed: allBut("frr"), aptFails: "install"}, "test", 1,
			[]string{"could not install"}, install + "frr [noninteractive]\npolicy 101\n"},
		{"names what is missing where there is no apt-get", machine{without: "apt-get dpkg-query"}, "demo", 3,
			[]string{"user-mode-linux", "a real kernel with IPVS that runs as a process", "no apt-get here"}, ""},
		{"names go", machine{installed: all, without: "go"}, "demo", 3, []string{"go is missing", "https://go.dev/dl"}, ""},
		{"refuses a work that it does not know", machine{installed: all}, "tset", 2, []string{`"tset"`}, ""},
		{"asks on a terminal, and enter is yes", machine{installed: allBut("gcc"), answer: "\n"}, "test", 0,
			[]string{"[Y/n]", "the race detector needs cgo"}, install + "gcc [noninteractive]\n"},
		{"installs nothing after a no", machine{installed: allBut("gcc"), answer: "n\n"}, "test", 3,
			[]string{"nothing installed", "apt-get install -y --no-install-recommends gcc"}, ""},
		{"asks nobody in CI, even with a terminal", machine{installed: allBut("gcc"), answer: "n\n", env: []string{"CI=true"}}, "test", 0,
			[]string{"gcc"}, install + "gcc [noninteractive]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, said, calls := tt.on.run(t, strings.Fields(tt.args)...)
			if status != tt.status {
				t.Errorf("status = %d, want %d", status, tt.status)
			}
			if calls != tt.calls {
				t.Errorf("calls:\n%swant:\n%s", calls, tt.calls)
			}
			for _, text := range tt.says {
				if !strings.Contains(said, text) {
					t.Errorf("output lacks %q", text)
				}
			}
			if tt.says == nil && said != "" || t.Failed() {
				t.Errorf("said:\n%s", said)
			}
		})
	}
}

func TestSetupWithNothingToDoIsQuick(t *testing.T) {
	best := time.Hour
	for range 5 {
		start := time.Now()
		if status, said, _ := (machine{installed: all}).run(t, "demo", "test"); status != 0 || said != "" {
			t.Fatalf("status %d, said:\n%s", status, said)
		}
		best = min(best, time.Since(start))
	}
	if best > 500*time.Millisecond { // about 30 ms; the bound is for a machine that is very busy
		t.Errorf("setup with nothing to do took %v", best)
	}
}
