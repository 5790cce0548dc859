package power

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

func TestMain(m *testing.M) {
	lab.Child()
	if program := os.Getenv(envProgram); program != "" {
		fmt.Fprintln(os.Stderr, "power:", live(program))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// machine is a guest's disk, and what was heard of the guests that ran on it.
type machine struct {
	t    *testing.T
	disk string
	env  []string

	acked, had int
	boots      int
}

func newMachine(t *testing.T, program string, env ...string) *machine {
	t.Helper()
	path, err := filepath.Abs(program)
	if err != nil || program == "" {
		t.Fatalf("no build of quorate is named: run `make power-cuts`: %v", err)
	}
	disk := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(disk)
	if err == nil {
		err = errors.Join(f.Truncate(64<<20), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", disk).CombinedOutput(); err != nil {
		t.Fatalf("make a file system: %v: %s", err, out)
	}
	return &machine{t: t, disk: disk, env: append(env, envProgram+"="+path)}
}

// life boots a guest and cuts its power: so long after its start, or after its first write if that is later. It returns
// what is wrong with what the guest found.
func (m *machine) life(after time.Duration, fromFirstWrite bool) error {
	ctx, cut := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cut()
	out, in := io.Pipe()
	var stderr bytes.Buffer
	var wg sync.WaitGroup
	var wrong error
	wg.Go(func() { wrong = m.listen(out, func() { time.AfterFunc(after, cut) }, fromFirstWrite) })
	if !fromFirstWrite {
		time.AfterFunc(after, cut)
	}
	m.boots++
	_, err := lab.BootGuest(ctx, lab.Guest{Program: "/proc/self/exe", Env: m.env, Disk: m.disk, Memory: "256M", Stdout: in, Stderr: &stderr})
	_ = in.Close()
	wg.Wait()
	if ctx.Err() == nil {
		return fmt.Errorf("the guest ended by itself (%v)\n%s", err, stderr.Bytes())
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the guest did not come to its first write: %v\n%s", err, stderr.Bytes())
	}
	return wrong
}

// listen takes what a guest prints, a line at a time; half a line counts for nothing.
func (m *machine) listen(r io.Reader, first func(), fromFirstWrite bool) (wrong error) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			_, _ = io.Copy(io.Discard, r)
			return wrong
		}
		word, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			wrong = errors.Join(wrong, fmt.Errorf("the guest says %q", line))
		case word == "have":
			m.had++
			if n < m.acked || n > m.acked+1 {
				wrong = errors.Join(wrong, fmt.Errorf("write %d was acknowledged, and the last that is there is %d", m.acked, n))
			}
			m.acked = n
		case word == "acked":
			if m.acked = n; fromFirstWrite {
				fromFirstWrite = false
				first()
			}
		}
	}
}

func rounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("QUORATE_ROUNDS"))
	if err != nil || n < 1 {
		t.Fatalf("QUORATE_ROUNDS=%q: say how many rounds, as `make power-cuts` does", os.Getenv("QUORATE_ROUNDS"))
	}
	return n
}

// TestPowerIsCutUnderWrites cuts the power of one director at random moments: most while it writes, some while it starts.
func TestPowerIsCutUnderWrites(t *testing.T) {
	m := newMachine(t, os.Getenv("QUORATE_BIN"))
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range rounds(t) {
		writing := i%5 != 4
		after := time.Duration(random.Int64N(int64(2500 * time.Millisecond)))
		if !writing {
			after += time.Second // the boot takes that long
		}
		if err := m.life(after, writing); err != nil {
			t.Fatalf("seed %d, round %d, cut after %v: %v", seed, i+1, after, err)
		}
	}
	if err := m.life(time.Second, true); err != nil { // what the last cut left
		t.Fatalf("seed %d, at the end: %v", seed, err)
	}
	t.Logf("RESULT %d power cuts, %d starts looked at, %d acknowledged writes, 0 lost", m.boots-1, m.had, m.acked)
}

// TestWithoutSyncsAPowerCutLosesWrites is the control: the same with a log that is not synced.
func TestWithoutSyncsAPowerCutLosesWrites(t *testing.T) {
	m := newMachine(t, os.Getenv("QUORATE_MUTANTS_BIN"), "QUORATE_UNSYNCED=1")
	for i := range 5 {
		if err := m.life(1500*time.Millisecond, true); err != nil {
			t.Logf("RESULT control, a log that is not synced: found at power cut %d", i)
			t.Log(err)
			return
		}
	}
	t.Errorf("nothing was lost of %d writes in 5 power cuts, though the log was not synced", m.acked)
}
