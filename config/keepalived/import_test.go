package keepalived

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/config"
)

var update = flag.Bool("update", false, "rewrite the files in testdata; review the difference")

var disk = Files{
	Read: os.ReadFile, Glob: filepath.Glob,
	Abs: func(path string) (string, error) { return filepath.Join("/etc/keepalived", path), nil },
}

// report is what is said of an import.
func report(r Result) string {
	var b strings.Builder
	for _, n := range r.Notes {
		b.WriteString(n.String() + "\n")
	}
	for _, d := range r.Differences {
		b.WriteString(d.String() + "\n")
	}
	return b.String()
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
	}
}

// examples are the files in testdata, and whose they are.
var examples = map[string][]Input{
	"pair":     {{"testdata/pair/lb1/keepalived.conf", ""}, {"testdata/pair/lb2/keepalived.conf", ""}},
	"alone":    {{"testdata/pair/lb1/keepalived.conf", ""}},
	"language": {{"testdata/language.conf", ""}},
	"high":     {{"testdata/language.conf", "high"}},
	"services": {{"testdata/services.conf", ""}},
	"vrrp":     {{"testdata/vrrp.conf", ""}},
	"mistakes": {{"testdata/mistakes.conf", ""}},
	"usual":    {{"testdata/usual.conf", ""}},
	"group":    {{"testdata/group.conf", ""}},
	"lost":     {{"testdata/lost.conf", "low"}},
	"stays":    {{"testdata/stays.conf", ""}},
	"both":     {{"testdata/both.conf", ""}},
	"nested":   {{"testdata/nested.conf", ""}},
	"crossed":  {{"testdata/crossed/a.conf", ""}, {"testdata/crossed/b.conf", ""}},
}

func TestImportOfEveryKindOfConstruct(t *testing.T) {
	for name, inputs := range examples {
		t.Run(name, func(t *testing.T) {
			r, err := Import(disk, inputs)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".hcl", string(r.File))
			golden(t, name+".txt", report(r))
			holds(t, r)
		})
	}
}

// holds fails if a result is not what is promised of every one.
func holds(t *testing.T, r Result) {
	t.Helper()
	valid(t, r)
	for _, line := range twoFates(r) {
		t.Errorf("%s\n%s", line, report(r))
	}
}

// valid fails if the cluster file of a result does not say what its model does.
func valid(t *testing.T, r Result) {
	t.Helper()
	c, problems := config.ParseCluster("imported.hcl", r.File)
	if err := problems.Err(); err != nil {
		t.Errorf("the cluster file is not valid: %v\n%s", err, r.File)
	}
	if changes := config.Diff(r.Config, c); len(changes) > 0 {
		t.Errorf("the file does not say what the model has:\n%s", config.Render(changes))
	}
}

// twoFates says of which words in which lines the report says that they are carried over and that they are not. It is of files
// that have each word once in a line.
func twoFates(r Result) []string {
	type word struct {
		Place
		word string // without its block
	}
	carried := make(map[word]string)
	all := func(fate Fate, each func(word, Note)) {
		for _, n := range r.Notes {
			words := strings.Fields(n.Keyword)
			for _, at := range n.Places {
				if n.Keyword == "real_server" || n.Keyword == "include" || strings.HasPrefix(n.Text, "port ") { // of several services or readings, or a port
					continue
				}
				if n.Fate == fate {
					each(word{at, words[len(words)-1]}, n)
				}
			}
		}
	}
	all(Carried, func(w word, n Note) { carried[w] = n.String() })
	var lines []string
	all(Dropped, func(w word, n Note) {
		if other := carried[w]; other != "" {
			lines = append(lines, fmt.Sprintf("%s:%d: %s has two fates: %q and %q", w.File, w.Line, w.word, n.String(), other))
		}
	})
	return lines
}
