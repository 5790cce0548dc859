// Package proof runs the tests of promises, and their controls: the same test, with the promise switched
// off in a build for tests, must fail.
package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/e2e/lab"
)

// OwnedWithin bounds the time from the first configuration to an owner.
const OwnedWithin = 15 * time.Second

// A Proof is what a test asserts of a network; with a mutant it must fail.
type Proof func(t lab.T, a *lab.Article)

// Prove runs a proof on a cluster of that many directors, whole and configured with cluster file text.
func Prove(t *testing.T, directors int, text string, p Proof) {
	t.Helper()
	Run(t, directors, text, "", p)
}

// A Step is one proof of a series.
type Step struct {
	Name  string
	Proof Proof
}

// Series runs proofs one after the other on one cluster, which is made whole after each: to make one takes
// as long as most proofs. It ends with the first that fails.
func Series(t *testing.T, directors int, text string, steps ...Step) {
	t.Helper()
	a := lab.NewArticle(t, directors)
	a.Cluster(t)
	for _, s := range steps {
		ok := t.Run(s.Name, func(t *testing.T) {
			a.Heal(t, text)
			s.Proof(t, a)
		})
		if !ok {
			return
		}
	}
}

// A Broken is a proof with the promise that is switched off for it.
type Broken struct {
	Mutant string
	Step   Step
	// Because is what the proof must say when it fails: one that fails for another reason, a machine that
	// was too slow for example, is tried once more.
	Because string
}

// Controls runs proofs one after the other on one cluster, each while its promise is switched off, and
// fails unless each proof does. The last may leave a cluster that cannot be made whole.
func Controls(t *testing.T, directors int, text string, all ...Broken) {
	t.Helper()
	a := lab.NewArticle(t, directors)
	mutants(t, a)
	a.Cluster(t)
	for _, b := range all {
		t.Run(b.Mutant+": "+b.Step.Name, func(t *testing.T) {
			var said string
			for range 2 {
				if said = without(t, a, text, b); regexp.MustCompile(b.Because).MatchString(said) {
					return
				}
			}
			t.Errorf("with %q switched off the proof does not say %q, but:\n%s", b.Mutant, b.Because, said)
		})
	}
}

// Fails fails unless a proof does, and says why it must.
func Fails(t *testing.T, because string, f func(t lab.T)) {
	t.Helper()
	attempt := &attempt{T: t, enough: regexp.MustCompile(because)}
	attempt.run(func() { f(attempt) })
	if said := attempt.said.String(); !attempt.enough.MatchString(said) {
		t.Errorf("the proof does not say %q, but:\n%s", because, said)
	}
}

// without runs a proof on a whole cluster with its promise switched off, and returns what it says. Every process is
// started again for it: one that runs may have done what it does only once, or does nothing anew until something else
// changes, and some directors would keep the promise while others do not.
func without(t *testing.T, a *lab.Article, text string, b Broken) string {
	t.Helper()
	a.Heal(t, text)
	become(t, a, b.Mutant)
	defer become(t, a, "")
	restart(t, a)
	attempt := &attempt{T: t, enough: regexp.MustCompile(b.Because)}
	attempt.run(func() { b.Step.Proof(attempt, a) })
	return attempt.said.String()
}

// mutants has the directors run the build in which promises can be switched off.
func mutants(t lab.T, a *lab.Article) {
	t.Helper()
	for _, d := range a.Directors {
		d.Binary = mutantBinary(t)
		d.Env = []string{"QUORATE_MUTANTS=" + d.WriteFile("mutant", "")}
	}
}

// become switches one promise off, and all others on.
func become(t lab.T, a *lab.Article, mutant string) {
	t.Helper()
	for _, d := range a.Directors {
		d.WriteFile("mutant", mutant)
	}
}

// restart ends every agent, keeper and all, and starts it.
func restart(t *testing.T, a *lab.Article) {
	t.Helper()
	for _, d := range a.Directors {
		for _, role := range []string{"agent", "keeper"} {
			if p, err := d.FindProcess(role); err == nil {
				p.Kill()
			}
		}
	}
	a.Agents(t)
	a.AwaitReady(t, 30*time.Second)
}

// Run builds a cluster of a build that is a mutant, or of the product if that is "", and runs a proof on
// it. Text is its cluster file, or "".
func Run(t lab.T, directors int, text, mutant string, p Proof) {
	t.Helper()
	a := lab.NewArticle(t, directors)
	if mutant != "" {
		mutants(t, a)
		become(t, a, mutant)
	}
	a.Cluster(t)
	if text != "" {
		a.Apply(text)
		a.AwaitOwner(t, OwnedWithin, lab.OuterVIP)
	}
	p(t, a)
}

// mutantBinary is the build in which promises can be switched off.
func mutantBinary(t lab.T) string {
	t.Helper()
	path := os.Getenv("QUORATE_MUTANTS_BIN")
	if path == "" {
		t.Fatalf("no build with mutants: set QUORATE_MUTANTS_BIN, as `make test` does")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return path
}

// attempt is a test that may fail: what it says is kept, and does not fail the one around it.
type attempt struct {
	*testing.T

	enough  *regexp.Regexp  // once it says this, it need not go on
	said    strings.Builder // why it failed; empty: it did not
	cleanup []func()
}

// gaveUp ends an attempt early.
type gaveUp struct{}

// run runs f and everything that it left to be cleaned up.
func (a *attempt) run(f func()) {
	defer func() {
		for i := len(a.cleanup) - 1; i >= 0; i-- {
			a.cleanup[i]()
		}
	}()
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(gaveUp); !ok {
				panic(r)
			}
		}
	}()
	f()
}

// Errorf implements [lab.T].
func (a *attempt) Errorf(format string, args ...any) {
	fmt.Fprintf(&a.said, format+"\n", args...)
	a.Logf("as it must: "+format, args...)
	if a.enough.MatchString(a.said.String()) {
		panic(gaveUp{})
	}
}

// Fatalf implements [lab.T].
func (a *attempt) Fatalf(format string, args ...any) {
	a.Errorf(format, args...)
	panic(gaveUp{})
}

// Failed implements [lab.T]. No evidence is wanted of a failure that must be.
func (a *attempt) Failed() bool { return false }

// Cleanup implements [lab.T].
func (a *attempt) Cleanup(f func()) { a.cleanup = append(a.cleanup, f) }
