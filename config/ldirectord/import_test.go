package ldirectord

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/config/imported"
)

var update = flag.Bool("update", false, "rewrite the files in testdata; review the difference")

func report(r Result) string {
	var b strings.Builder
	for _, n := range r.Notes {
		b.WriteString(n.String() + "\n")
	}
	return b.String()
}

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

// holds fails if a result is not what is promised of every one.
func holds(t *testing.T, src string, r Result) {
	t.Helper()
	c, problems := config.ParseCluster("imported.hcl", r.File)
	if err := problems.Err(); err != nil {
		t.Errorf("the cluster file is not valid: %v\n%s", err, r.File)
	}
	if changes := config.Diff(r.Config, c); len(changes) > 0 {
		t.Errorf("the file does not say what the model has:\n%s", config.Render(changes))
	}
	for _, n := range r.Notes {
		if n.Places[0].Line == 0 {
			t.Errorf("of no line it says %s", n)
		}
	}
	for i, text := range strings.Split(strings.ReplaceAll(src, "\r\n", "\n"), "\n") {
		at := imported.Place{File: "f", Line: i + 1}
		said := false
		for _, n := range r.Notes {
			said = said || n.Said(at)
		}
		if !said && strings.TrimSpace(uncommented(text)) != "" {
			t.Errorf("line %d: nothing is said of it: %q", i+1, text)
		}
	}
}

func TestImportOfEveryKindOfService(t *testing.T) {
	for _, name := range files {
		src := read(t, name)
		r := Import("f", src)
		golden(t, name+".hcl", string(r.File))
		golden(t, name+".txt", report(r))
		holds(t, string(src), r)
	}
}

// files are those of testdata: one has every kind of service, the other what ldirectord makes of what is left out, is
// out of place, or is more than a kernel or quorate has.
var files = []string{"all", "unsaid"}

func read(t *testing.T, name string) []byte {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", name+".cf"))
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// asItIs are parts of what is said of that which changes nothing in the output: it is so in any case.
var asItIs = []string{"always", "the default", "nothing", "none: "}

// TestWhatIsCarriedOverIsInTheOutput takes each line that is said to be carried over out of the file, or changes its
// value: the output is then another.
func TestWhatIsCarriedOverIsInTheOutput(t *testing.T) {
	output := func(lines []string) string {
		r := Import("f", []byte(strings.Join(lines, "\n")))
		var text strings.Builder
		text.Write(r.File)
		for _, n := range r.Notes {
			if n.Fate == imported.Differs {
				text.WriteString(n.Keyword + n.Text)
			}
		}
		return text.String()
	}
	for _, file := range files {
		src := read(t, file)
		lines := strings.Split(string(src), "\n")
		whole := output(lines)
		for _, n := range Import("f", src).Notes {
			if n.Fate != imported.Carried || slices.ContainsFunc(asItIs, func(part string) bool { return strings.Contains(n.Text, part) }) {
				continue
			}
			for _, at := range n.Places {
				name, value, _ := strings.Cut(lines[at.Line-1], "=")
				changed := false
				for _, other := range []string{"", name + "= x", name + "= connect", name + "= negotiate", name + "= 1" + strings.TrimSpace(value)} {
					tried := slices.Clone(lines)
					tried[at.Line-1] = other
					changed = changed || output(tried) != whole
				}
				if !changed {
					t.Errorf("%s: %q: without it the output is the same, and the report says\n%s", file, lines[at.Line-1], n)
				}
			}
		}
	}
}

// TestALineHasOneFate puts a service of each protocol and kind of check behind those of testdata: no directive that says one
// thing is carried over and is not.
func TestALineHasOneFate(t *testing.T) {
	for _, file := range files {
		src := string(read(t, file))
		for _, service := range []string{"", "http", "dns", "mysql", "simpletcp", "none", "smtp"} {
			for _, kind := range []string{"", "negotiate", "3", "connect", "ping", "on", "off", "external"} {
				more := "\n"
				if service != "" {
					more += "\tservice = " + service + "\n"
				}
				if kind != "" {
					more += "\tchecktype = " + kind + "\n"
				}
				r := Import("f", []byte(src+"\nvirtual = 192.0.2.77:53\n\treal = 198.51.100.77:53 gate\n\trequest = \"a\"\n\treceive = \"b\""+more))
				for _, not := range r.Notes {
					for _, is := range r.Notes {
						single := not.Keyword == "service" || not.Keyword == "checktype" || not.Keyword == "request" || not.Keyword == "receive"
						if !single || not.Keyword != is.Keyword || is.Fate != imported.Carried || not.Fate != imported.Dropped {
							continue
						}
						for _, at := range not.Places {
							if is.Said(at) {
								t.Errorf("%s %s %s: line %d: %s\n%s", file, service, kind, at.Line, not, is)
							}
						}
					}
				}
			}
		}
	}
}

func TestTheKindOfChecksIsToldOfWhereItIsSaid(t *testing.T) {
	const service = "virtual = 192.0.2.1:80\n\treal = 198.51.100.1:80 gate\n\tcheckcommand = /x\n"
	for src, want := range map[string]string{
		"checktype = external-perl\n" + service:   "f:2: carried over with a difference: checktype: external-perl: ",
		service + "\tchecktype = external-perl\n": "f:4: carried over with a difference: checktype: external-perl: ",
	} {
		r := Import("f", []byte(src))
		holds(t, src, r)
		if !strings.Contains(report(r), want) {
			t.Errorf("%q is not said:\n%s", want, report(r))
		}
	}
}

func FuzzImport(f *testing.F) {
	src, err := os.ReadFile("testdata/all.cf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(src))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 1<<14 {
			holds(t, text, Import("f", []byte(text)))
		}
	})
}

func TestEveryDirectiveOfLdirectordHasAFate(t *testing.T) {
	b, err := os.ReadFile("testdata/directives.txt")
	if err != nil {
		t.Fatal(err)
	}
	known, listed := Directives(), make(map[string]bool)
	for name := range strings.FieldsSeq(string(b)) {
		listed[name] = true
		if known[name] == "" {
			t.Errorf("%s has no fate", name)
		}
	}
	for name := range known {
		if !listed[name] {
			t.Errorf("%s is no directive of ldirectord", name)
		}
	}
}
