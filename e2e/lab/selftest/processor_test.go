package selftest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// TestEachGuestHasAProcessorOfItsOwnWhileThereAreSome boots a guest for each of some processors.
func TestEachGuestHasAProcessorOfItsOwnWhileThereAreSome(t *testing.T) {
	cpus := runtime.NumCPU()
	if cpus < 2 {
		t.Log("there is one processor: nothing to choose")
		return
	}
	cpus = min(cpus, 3) // some are enough to see
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv(lab.EnvForceGuest, "1")
	t.Setenv(lab.EnvArtifacts, t.TempDir())
	ctx, end := context.WithCancel(t.Context())
	var guests sync.WaitGroup
	defer guests.Wait()
	defer end()
	where := map[string]bool{}
	for i := range cpus {
		guests.Go(func() { lab.Boot(ctx, shell("sleep 60")) })
		var all []string
		for wait := time.Now().Add(20 * time.Second); len(all) <= i; time.Sleep(20 * time.Millisecond) {
			if all = processors(); time.Now().After(wait) {
				t.Fatalf("guests run on processors %q", all)
			}
		}
		for _, one := range all {
			where[one] = true
		}
		if len(where) != i+1 {
			t.Fatalf("%d guests run on processors %q", i+1, all)
		}
	}
	for one := range where {
		if strings.ContainsAny(one, "-,") {
			t.Errorf("a guest runs on processors %s", one)
		}
	}
}

// processors are those on which the kernels that this process has started may run.
func processors() (all []string) {
	children, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range children {
		text, _ := os.ReadFile(file)
		for pid := range strings.FieldsSeq(string(text)) {
			if program, _ := os.Readlink(filepath.Join("/proc", pid, "exe")); filepath.Base(program) != "linux.uml" {
				continue
			}
			status, _ := os.ReadFile(filepath.Join("/proc", pid, "status"))
			for line := range strings.Lines(string(status)) {
				var cpu string
				if _, err := fmt.Sscanf(line, "Cpus_allowed_list: %s", &cpu); err == nil {
					all = append(all, cpu)
				}
			}
		}
	}
	return all
}
