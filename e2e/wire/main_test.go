// Package wire holds the tests of what needs no IPVS: the command line and its errors, membership, and
// who owns an address. The hosts are namespaces on the machine's own kernel, where timing is true; that
// kernel may have no IPVS, and then the tests say what quorate does about it.
package wire

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/e2e/lab"
)

func TestMain(m *testing.M) {
	// These tests wait more than they compute. It is set before the command line is read, which may say otherwise.
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	lab.MainHost(m)
}

// The virtual address, and how fast its owner is missed.
const (
	vip      = "192.168.1.1"
	group    = "web"
	interval = "200ms"
)

// routerFile is a cluster file that needs no IPVS.
const routerFile = `router "web" {
  vrid      = 51
  interface = "wan"
  interval  = "` + interval + `"
  addresses = ["192.168.1.1/24"]
}
`

// serviceFile is a cluster file that needs IPVS on every director.
const serviceFile = routerFile + `
service "web" {
  address   = "192.168.1.1:80"
  scheduler = "rr"
  forward   = "nat"
  server "192.168.2.11:80" {}
}
`

// moves is how long a takeover may take on a machine that others use too.
const moves = 5 * time.Second

// A testnet is directors with a wire to clients and one of their own for the cluster.
type testnet struct {
	*lab.Article
}

// drawing is held while a network is drawn: two tests that run at once must not choose the same names.
var drawing sync.Mutex

// build draws the network. No agent runs yet.
func build(t lab.T, directors int) *testnet {
	t.Helper()
	return buildAs(t, "d", directors)
}

// buildAs is build with another name than d for the directors. A test that switches a director off and on
// has names of its own: while it is off, another test would take the name.
func buildAs(t lab.T, name string, directors int) *testnet {
	t.Helper()
	drawing.Lock()
	defer drawing.Unlock()
	n := lab.New(t)
	w := &testnet{&lab.Article{Net: n, Outer: n.Segment("outer"), Inner: n.Segment("inner")}}
	for i := range directors {
		w.Directors = append(w.Directors, n.Director(name+strconv.Itoa(i+1),
			w.Outer.At(fmt.Sprintf("192.168.1.%d/24", 2+i)), w.Inner.At(fmt.Sprintf("192.168.2.%d/24", 2+i))))
	}
	w.Client = n.Host("client", w.Outer.At("192.168.1.100/24"))
	return w
}

// cluster is build with all directors in one cluster, whole and ready, and no configuration.
func cluster(t lab.T, directors int) *testnet {
	t.Helper()
	w := build(t, directors)
	w.Cluster(t)
	return w
}

// owned is cluster with an address that somebody owns, which everybody knows.
func owned(t lab.T, directors int) *testnet {
	t.Helper()
	return ownedAs(t, "d", directors)
}

// ownedAs is owned with names of its own for the directors.
func ownedAs(t lab.T, name string, directors int) *testnet {
	t.Helper()
	w := buildAs(t, name, directors)
	w.Cluster(t)
	w.apply(t, routerFile)
	w.settled(t)
	return w
}

func (w *testnet) apply(t lab.T, text string) {
	t.Helper()
	d := w.Directors[0]
	command(t, d, "apply", d.WriteFile("cluster.hcl", text), "--yes").want(t, 0)
}

// settled is agreed, with all directors that are on ready.
func (w *testnet) settled(t lab.T) *lab.Director {
	t.Helper()
	owner := w.agreed(t)
	w.AwaitReady(t, 20*time.Second)
	return owner
}

// agreed waits until all agents that run name the one host that has the address as its owner, and
// returns it.
func (w *testnet) agreed(t lab.T) *lab.Director {
	t.Helper()
	var owner *lab.Director
	lab.Eventually(t, 20*time.Second, "all agree on who owns", func() error {
		owners := w.Owners(vip)
		if len(owners) != 1 {
			return fmt.Errorf("%d hosts have %s", len(owners), vip)
		}
		for _, d := range w.Directors {
			if d.Host == owners[0] {
				owner = d
			}
		}
		return w.named(owner.Name)
	})
	return owner
}

// named says who does not name the owner: of those in a quorum, by the log, too, which follows the address.
func (w *testnet) named(owner string) error {
	for _, d := range w.Directors {
		if !d.On() {
			continue
		}
		if _, err := d.FindProcess("agent"); err != nil {
			continue
		}
		st, err := d.Status()
		if err != nil {
			return err
		}
		if len(st.Directors) == 0 {
			continue
		}
		if g := st.Groups[0]; g.Owner != owner || g.Epoch == 0 || st.Quorum && g.Named != owner {
			return fmt.Errorf("%s says that %q owns, and the log names %q in epoch %d, want %s", d.Name, g.Owner, g.Named, g.Epoch, owner)
		}
	}
	return nil
}

// others are all directors but one.
func (w *testnet) others(not *lab.Director) []*lab.Director {
	return slices.DeleteFunc(slices.Clone(w.Directors), func(d *lab.Director) bool { return d == not })
}

// leader is the director that leads.
func (w *testnet) leader(t lab.T) *lab.Director {
	t.Helper()
	var leader *lab.Director
	lab.Eventually(t, 10*time.Second, "there is a leader", func() error {
		for _, d := range w.Directors {
			if _, err := d.FindProcess("agent"); err != nil {
				continue // off, or stopped
			}
			st, err := d.Status()
			if err != nil || st.Leader == "" {
				continue
			}
			for _, l := range w.Directors {
				if l.Name == st.Leader {
					leader = l
					return nil
				}
			}
		}
		return errors.New("nobody knows of one")
	})
	return leader
}

// A result is what a command left.
type result struct {
	argv     []string
	out, err string
	code     int
}

// command runs quorate on a director to its end.
func command(t lab.T, d *lab.Director, args ...string) result {
	t.Helper()
	return program(t, d.Host, append([]string{binary(t)}, args...)...)
}

// program runs a program on a host to its end.
func program(t lab.T, h *lab.Host, argv ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	file := filepath.Join(t.TempDir(), "stderr")
	r := result{argv: argv}
	var err error
	r.out, err = h.Run(ctx, append([]string{"sh", "-c", `f=$1; shift; exec "$@" 2>"$f" </dev/null`, "sh", file}, argv...)...)
	text, _ := os.ReadFile(file) // there is none if the host is off, which err says
	r.err = string(text)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
	case err != nil:
		t.Fatalf("%v", err)
	}
	return r
}

// want holds a result against an exit code.
func (r result) want(t lab.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("%s: exit %d, want %d\n%s%s", strings.Join(r.argv[1:], " "), r.code, code, r.out, r.err)
	}
	return r
}

// refused holds that a command failed with one error of one line that has these words in it, and
// nothing on standard output.
func (r result) refused(t lab.T, words ...string) {
	t.Helper()
	r.want(t, 1)
	lines := strings.Split(strings.TrimSpace(r.err), "\n")
	last := lines[len(lines)-1]
	t.Logf("%s: %s", strings.Join(r.argv[1:], " "), strings.TrimSpace(r.err))
	errs := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "quorate: ") || strings.Contains(line, "[ERROR]") {
			errs++
		}
	}
	if !strings.HasPrefix(last, "quorate: ") || errs != 1 {
		t.Errorf("not one error: %q", r.err)
	}
	if r.out != "" {
		t.Errorf("standard output of a command that failed: %q", r.out)
	}
	for _, word := range words {
		if !strings.Contains(last, word) {
			t.Errorf("no %q in %q", word, last)
		}
	}
}

// has holds that standard output has these words in it.
func (r result) has(t lab.T, words ...string) result {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(r.out, word) {
			t.Errorf("%s: no %q in\n%s", strings.Join(r.argv[1:], " "), word, r.out)
		}
	}
	return r
}

func binary(t lab.T) string {
	t.Helper()
	path, err := filepath.Abs(os.Getenv(lab.EnvBinary))
	if err != nil || path == "" {
		t.Fatalf("no quorate binary: %s %v", os.Getenv(lab.EnvBinary), err)
	}
	return path
}

// unchanged holds that f leaves everything as it was: what each director says of the cluster, the
// configuration, the tokens, the addresses, and the data directory of an agent that is in no cluster.
func (w *testnet) unchanged(t lab.T, f func()) {
	t.Helper()
	before := w.world(t)
	f()
	if diff := cmp.Diff(before, w.world(t)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// quiet waits until no leader has anything more to say: what all directors know has been the same for a
// while.
func (w *testnet) quiet(t lab.T) {
	t.Helper()
	last, since := "", time.Now()
	lab.Eventually(t, 15*time.Second, "the state is quiet", func() error {
		var hashes strings.Builder
		for _, d := range w.Directors {
			if _, err := d.FindProcess("agent"); err != nil {
				continue // off, or stopped
			}
			st, err := d.Status()
			if err != nil {
				return err
			}
			hashes.WriteString(st.StateHash + " ")
		}
		if hashes.String() != last {
			last, since = hashes.String(), time.Now()
		}
		if time.Since(since) < 1200*time.Millisecond {
			return errors.New("it changes")
		}
		return nil
	})
}

func (w *testnet) world(t lab.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, d := range w.Directors {
		if !d.On() {
			continue
		}
		all[d.Name+" addresses"] = fmt.Sprint(d.Addresses(""))
		if _, err := d.FindProcess("agent"); err != nil {
			continue
		}
		st, err := d.Status()
		if err != nil {
			t.Fatalf("%v", err)
		}
		if len(st.Directors) == 0 {
			all[d.Name+" data"] = tree(t, d.DataDir())
			continue
		}
		var members []string
		for _, m := range st.Directors {
			members = append(members, m.Name)
		}
		all[d.Name] = fmt.Sprintf("revision %d, state %s, members %v, groups %+v", st.Revision, st.StateHash, members, st.Groups)
		all[d.Name+" configuration"] = command(t, d, "show").want(t, 0).out
		all[d.Name+" tokens"] = command(t, d, "token", "list").want(t, 0).out
	}
	return all
}

// tree is the files of a directory and what is in them, but for two: an attempt to join leaves its key, so
// that the next is made by the same agent, and the keeper writes its record when it will.
func tree(t lab.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		switch {
		case rel == "cluster.join":
			return fs.SkipDir
		case e.IsDir() || rel == "cluster.lock" || rel == "keeper.json":
			return nil
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %x\n", rel, sha256.Sum256(text))
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return b.String()
}

// decode reads JSON.
func decode(t lab.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("decode: %v: %s", err, text)
	}
}

// fields are the sorted names of a JSON object's fields.
func fields(t lab.T, v any) []string {
	t.Helper()
	object, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%v is no object", v)
	}
	return slices.Sorted(maps.Keys(object))
}
