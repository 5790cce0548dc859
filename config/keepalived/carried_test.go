package keepalived

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plain writes statements with one on each line, but for some of them, and returns what stands on which line.
func plain(all []*Statement, but map[*Statement]bool) (string, map[int]*Statement) {
	var b strings.Builder
	line, at := 1, make(map[int]*Statement)
	var write func(all []*Statement)
	write = func(all []*Statement) {
		for _, s := range all {
			if but[s] {
				continue
			}
			at[line] = s
			for _, word := range append([]string{s.Word}, s.Args...) {
				b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `" `)
			}
			if s.Open {
				b.WriteString("{\n")
				line++
				write(s.Block)
				b.WriteString("}")
			}
			b.WriteString("\n")
			line++
		}
	}
	write(all)
	return b.String(), at
}

// trial imports files of hosts that are written plainly.
type trial struct {
	inputs []Input
	tops   [][]*Statement
}

func newTrial(t *testing.T, inputs []Input) *trial {
	t.Helper()
	ids, err := nodesOf(disk, inputs[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if len(inputs) == 1 && inputs[0].Node == "" && len(ids) > 0 {
		path := inputs[0].Path
		inputs = nil
		for _, id := range ids {
			inputs = append(inputs, Input{path, id})
		}
	}
	tr := &trial{}
	for n, in := range inputs {
		h, err := readHost(disk, in, new(notes))
		if err != nil {
			t.Fatal(err)
		}
		tr.inputs = append(tr.inputs, Input{fmt.Sprintf("host%d.conf", n), h.name})
		tr.tops = append(tr.tops, h.top)
	}
	return tr
}

// without imports all but some statements.
func (tr *trial) without(t *testing.T, but map[*Statement]bool) (Result, []map[int]*Statement) {
	t.Helper()
	texts, lines := make(map[string]string), make([]map[int]*Statement, len(tr.tops))
	for n, top := range tr.tops {
		texts[tr.inputs[n].Path], lines[n] = plain(top, but)
	}
	r, err := Import(Files{
		Read: func(path string) ([]byte, error) { return []byte(texts[filepath.Base(path)]), nil },
		Glob: func(path string) ([]string, error) { return []string{path}, nil },
		Abs:  disk.Abs,
	}, tr.inputs)
	if err != nil {
		t.Fatal(err)
	}
	return r, lines
}

// output is what an import comes to, and in what it is not as it was.
func output(r Result) string {
	var b strings.Builder
	b.Write(r.File)
	for _, d := range r.Differences {
		fmt.Fprintln(&b, d.What, d.Values, d.Text)
	}
	return b.String()
}

// TestWhatIsCarriedOverIsInTheOutput takes each statement of which the report says nothing but that it is carried over
// out of the files, or changes its number: the output is then another, or the report says that it stays as it is.
func TestWhatIsCarriedOverIsInTheOutput(t *testing.T) {
	for name, inputs := range examples {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, inputs)
			whole, lines := tr.without(t, nil)
			for n, of := range lines {
				for line, s := range of {
					at := Place{File: tr.inputs[n].Path, Line: line}
					said := ""
					for _, note := range whole.Notes {
						if note.Said(at) {
							if note.Fate != Carried || tellsNothing(note.Text) {
								said = ""
								break
							}
							said = note.String()
						}
					}
					if said == "" || saidTwice[s.Word] != "" || changes(t, tr, whole, s) {
						continue
					}
					t.Errorf("%s %q: without it the output is the same, and the report says\n%s", s.Word, s.Args, said)
				}
			}
		})
	}
}

// asItIs are parts of what is said of that which changes nothing in the output: it is so in any case.
var asItIs = []string{
	"it is so anyway", "always", "the default", "the only one", "nothing", "as in keepalived", "in keepalived either", "sees to it", "anyway",
	"what it says, in the routers", "the director's name here", "has a link on the interfaces of its routers", "the server itself is probed",
	"is the TLS server name", "without a weight of its own", "than its lines say",
}

// saidTwice are statements of the examples whose meaning another one has, too.
var saidTwice = map[string]string{"no_accept": "vrrp_strict", "persistence_timeout": "persistence_granularity"}

func tellsNothing(text string) bool {
	return slices.ContainsFunc(asItIs, func(part string) bool { return strings.Contains(text, part) })
}

// changes reports whether a statement changes the output: by itself, or together with all that say the same.
func changes(t *testing.T, tr *trial, whole Result, s *Statement) bool {
	t.Helper()
	same := make(map[*Statement]bool)
	for _, top := range tr.tops {
		sameAs(top, s, same)
	}
	differs := func(but map[*Statement]bool) bool {
		r, _ := tr.without(t, but)
		return output(r) != output(whole) || news(whole, r)
	}
	if differs(map[*Statement]bool{s: true}) || differs(same) {
		return true
	}
	for i, arg := range s.Args {
		other := map[string]string{"NAT": "DR"}[arg]
		if other == "" {
			other = arg + "x"
		}
		if n, err := strconv.Atoi(arg); err == nil {
			other = strconv.Itoa(n + 1)
		}
		for one := range same {
			one.Args[i] = other
		}
		changed := differs(nil)
		for one := range same {
			one.Args[i] = arg
		}
		if changed {
			return true
		}
	}
	return false
}

// news reports whether more is not as it was after an import than after another.
func news(was, is Result) bool {
	said := make(map[string]bool)
	for _, n := range was.Notes {
		said[n.Keyword+n.Text] = n.Fate != Carried
	}
	return slices.ContainsFunc(is.Notes, func(n Note) bool { return n.Fate != Carried && !said[n.Keyword+n.Text] })
}

// sameAs collects the statements that say the same.
func sameAs(all []*Statement, s *Statement, same map[*Statement]bool) {
	for _, one := range all {
		if one.Word == s.Word && slices.Equal(one.Args, s.Args) {
			same[one] = true
		}
		sameAs(one.Block, s, same)
	}
}
