package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Environment variables that a person or a Makefile may set.
const (
	// EnvBinary is the path of the quorate binary under test. Unset, [Main] builds it.
	EnvBinary = "QUORATE_BIN"
	// EnvArtifacts is the directory that takes the evidence of failed tests. Unset, it is
	// e2e/artifacts under the module's root.
	EnvArtifacts = "QUORATE_ARTIFACTS"
	// EnvRequireGuest, if 1, makes a machine that cannot boot the guest a failure, not a skip.
	EnvRequireGuest = "QUORATE_REQUIRE_GUEST"
	// EnvForceGuest, if 1, boots the guest even where the machine's kernel has IPVS.
	EnvForceGuest = "QUORATE_FORCE_GUEST"
	// EnvInGuest is set by the lab for programs that run inside it: "guest" or "host".
	EnvInGuest = "QUORATE_IN_GUEST"
)

const (
	envSpec     = "QUORATE_LAB_SPEC"  // init: where its orders are
	envChild    = "QUORATE_LAB_CHILD" // a small program of the lab's: which one
	envBuildErr = "QUORATE_BIN_ERROR" // why there is no quorate binary
)

// Main runs a package's tests on a kernel with IPVS and exits with their status. Call it from TestMain.
func Main(m *testing.M) { os.Exit(runTests(m, true, true)) }

// MainHost runs a package's tests with hosts and wires but without IPVS, in namespaces on the machine's own
// kernel, where timing is true and the race detector works. It needs no root.
func MainHost(m *testing.M) { os.Exit(runTests(m, false, true)) }

// Child takes over a process that the lab has started from this program's own binary: the guest's init,
// a real server, a prober. It returns in every other process. A program that uses the lab calls it
// first in main; [Main] and [MainHost] do it for tests.
func Child() {
	if path := os.Getenv(envSpec); path != "" {
		runInit(path)
	}
	if role := os.Getenv(envChild); role != "" {
		runChild(role)
	}
}

// Inside tells whether this process is in a lab, and so may call [New].
func Inside() bool { return os.Getenv(EnvInGuest) != "" }

func runTests(m *testing.M, needIPVS, needBinary bool) int {
	Child()
	if Inside() {
		return m.Run()
	}
	flag.Parse()
	if f := flag.Lookup("test.list"); f != nil && f.Value.String() != "" {
		return m.Run()
	}
	g := Guest{Program: "/proc/self/exe", Args: os.Args[1:], NeedsBinary: needBinary}
	run := Boot
	if !needIPVS {
		run = BootHost
	}
	status, err := run(context.Background(), g)
	if err == nil {
		return status
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	if errors.Is(err, ErrNoGuest) && os.Getenv(EnvRequireGuest) != "1" {
		fmt.Fprintf(os.Stderr, "lab: tests skipped (%s=1 makes this a failure)\n", EnvRequireGuest)
		return 0
	}
	return max(status, 1)
}

// testTimeout is what a run may take: -test.timeout of go test, and something for boot and evidence.
// Without that flag it is an hour.
func testTimeout(args []string) time.Duration {
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if d, err := time.ParseDuration(value); err == nil && d > 0 && strings.TrimPrefix(name, "test.") == "timeout" {
			return d + time.Minute
		}
	}
	return time.Hour
}

// outputDirs are the directories that the flags of go test write to. They must be writable in a guest.
func outputDirs(args []string) []string {
	var dirs []string
	for _, arg := range args {
		name, value, ok := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if !ok || value == "" {
			continue
		}
		abs, err := filepath.Abs(value)
		if err != nil {
			continue
		}
		switch strings.TrimPrefix(name, "test.") {
		case "testlogfile", "coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace":
			dirs = append(dirs, filepath.Dir(abs))
		case "gocoverdir", "outputdir", "fuzzcachedir", "artifacts":
			dirs = append(dirs, abs)
		}
	}
	return dirs
}

// moduleRoot is the nearest directory upwards from the working directory that has a go.mod, or "".
func moduleRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// artifactsDir makes the directory for evidence and returns its path. Where the module's own tree
// cannot be written to, it is a temporary directory.
func artifactsDir() (string, error) {
	dir := os.Getenv(EnvArtifacts)
	if dir == "" {
		dir = filepath.Join(moduleRoot(), "e2e", "artifacts")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	err = os.MkdirAll(dir, 0o755)
	if errors.Is(err, fs.ErrPermission) {
		return os.MkdirTemp("", "quorate-artifacts-")
	}
	if err != nil {
		return "", err
	}
	ignore := filepath.Join(dir, ".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return dir, nil
	}
	return dir, os.WriteFile(ignore, []byte("*\n"), 0o644)
}
