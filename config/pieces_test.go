package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/config/syntax"
)

// inSmall are limits with which a file of a few blocks is read in pieces.
var inSmall = limits{steps: 100_000, blocks: 5_000, piece: 300}

// blocks is a file of so many services, each of a hundred bytes.
func blocks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "service \"p-%d\" {\n  address = \"192.168.1.1:%d\"\n  forward = \"direct\"\n  server \"192.168.2.1\" {}\n}\n", i, 1000+i)
	}
	return b.String()
}

// eachOf is a service of so many servers with a key that is not known.
func eachOf(name string, n int) string {
	return fmt.Sprintf("service %q {\n  address = \"192.168.1.2:80\"\n  forward = \"direct\"\n  server \"x\" {\n    for_each = range(%d)\n    wait = 1\n  }\n}\n", name, n)
}

// sameInPieces holds that files are read alike in pieces and whole, and returns whether they were read in pieces.
func sameInPieces(t *testing.T, l limits, files ...File) bool {
	t.Helper()
	r := inPieces(files, l)
	if r == nil {
		return false
	}
	got, problems := r.judged()
	want, wanted := whole(files, l).judged()
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Errorf("whole and in pieces (-whole +pieces):\n%s", diff)
	}
	if r.unbalanced() && strings.Contains(wanted.String(), "levels deep") {
		if problems.Err() == nil { // the guard counts blocks that are not closed among the levels; of each piece, none of another
			t.Error("in pieces it has no error")
		}
		return true
	}
	if diff := cmp.Diff(wanted, problems); diff != "" {
		t.Errorf("problems of it whole and in pieces (-whole +pieces):\n%s", diff)
	}
	return true
}

func TestALargeFileIsReadInPiecesAsItIsWhole(t *testing.T) {
	padding := blocks(8)
	service := "service \"web\" {\n  address = \"192.168.1.1:80\"\n  forward = \"direct\"\n  server \"192.168.2.1\" { wait = 1 }\n}\n"
	locals := "locals {\n  hosts = [\"192.168.2.1\", \"192.168.2.2\"]\n}\n"
	each := "service \"web\" {\n  address = \"192.168.1.1:80\"\n  forward = \"direct\"\n  server \"x\" {\n    for_each = local.hosts\n  }\n}\n"
	for _, tt := range []struct {
		name     string
		src      string
		inPieces bool
	}{
		{"blocks", padding, true},
		{"an unknown key far behind", padding + service, true},
		{"a service that is there twice", padding + padding, true},
		{"an unknown block", padding + "servise \"web\" {\n}\n" + service, true},
		{"locals behind what needs them", each + padding + locals, true},
		{"a for_each that is too much", padding + strings.Replace(each, "local.hosts", "range(1000)", 1), true},
		{"without a line's end", padding + strings.TrimSuffix(service, "\n"), true},
		{"line ends of another system", strings.ReplaceAll(padding+service, "\n", "\r\n"), true},
		{"locals behind a comment in their line", each + padding + "/* hosts */ " + locals, true},
		{"locals that are none", "# these are not locals\n" + padding + service, true},
		{"signs of two columns and of two bytes", padding + strings.Replace(service, "192.168.2.1", "ä漢", 1), true},
		{"a block that is not closed", padding + strings.TrimSuffix(service, "}\n") + padding, true},
		{"one at the beginning, behind a mistake in it", "service \"web\" {\n  wait = 1\n" + padding, true},
		{"one at the end", padding + strings.TrimSuffix(service, "}\n"), true},
		{"one in another", padding + strings.Replace(service, "{ wait = 1 }", "{", 1) + padding, true},
		{"two that are not", padding + "service \"a\" {\n" + padding + "service \"b\" {\n" + padding, true},
		{"one with locals behind it", each + padding + "service \"a\" {\n" + padding + locals, true},
		{"so many that they are nested too deeply", strings.Repeat(padding+"service \"a\" {\n", 40) + padding, true},
		{"one, and something else", padding + "service \"a\" {\n" + padding + "x = \n" + padding, false},
		{"one, and a brace too many", padding + "service \"a\" {\n" + padding + "}\n}\n" + padding, false},
		{"a key of the top level", "version = 1\n" + padding + "version = 2\n", false},
		{"a brace that ends nothing, behind and before a mistake", service + padding + "}\n" + strings.Replace(service, "web", "x", 1) + padding, true},
		{"one in a line with others, and locals behind it", each + padding + "} }\n" + padding + locals, true},
		{"one at the beginning", "}\n" + padding, true},
		{"one, and a block behind it that is not closed", padding + "}\n" + padding + "service \"a\" {\n" + padding, true},
		{"one, and something else behind it", padding + "}\n" + padding + "x = \n" + padding, false},
		{"one behind a key of the top level", "version = 1\n" + padding + "}\n" + padding, false},
		{"a brace in a comment", padding + "/*\n" + padding + "*/\n" + service, false},
		{"a brace in a text of several lines", padding + "locals {\n  x = <<END\n" + padding + "END\n}\n" + service, false},
		{"blocks that are not indented", "service \"web\" {\n" + strings.Repeat("server \"192.168.2.1\" {\n}\n", 20) + "}\n" + padding, false},
		{"a mark of the beginning in the middle", padding + "\ufeff" + service, false},
		{"a part that is nested too deeply", padding + "locals {\n  x = " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n}\n", false},
		{"too many bytes", strings.Repeat(padding, syntax.MaxSize/len(padding)+1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := sameInPieces(t, inSmall, File{"c.hcl", []byte(tt.src)}); got != tt.inPieces {
				t.Errorf("it was read in pieces: %v, want %v", got, tt.inPieces)
			}
			if n := len(syntax.Cut([]byte(tt.src), inSmall.piece)); tt.inPieces && n < 2 {
				t.Errorf("it is %d piece", n)
			}
		})
	}
}

// What is said of files that compute too much, or have more mistakes than are told, depends on what is read first.
func TestAFileIsReadWholeWhereTheOrderMatters(t *testing.T) {
	service := func(name string, servers int) string {
		return fmt.Sprintf("service %q {\n  for_each = range(1000)\n  address = \"192.168.1.1:80\"\n  forward = \"direct\"\n%s}\n",
			name, strings.Repeat("  server \"192.168.2.1\" {}\n", servers))
	}
	var mistakes strings.Builder
	for i := range 22 {
		mistakes.WriteString(eachOf(fmt.Sprint("m-", i), 1000))
	}
	for _, tt := range []struct {
		name   string
		src    string
		limits limits
	}{
		{"too many blocks", service("a", 3) + blocks(8) + service("b", 0), limits{steps: 100_000, blocks: 4_500, piece: 300}},
		{"too many steps", eachOf("a", 1000) + blocks(8) + service("b", 0), limits{steps: 4_000, blocks: 5_000, piece: 300}},
		{"too many mistakes", mistakes.String() + blocks(8) + "servise \"x\" {\n}\n", limits{steps: 1_000_000, blocks: 200_000, piece: 300}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if sameInPieces(t, tt.limits, File{"c.hcl", []byte(tt.src)}) {
				t.Error("it was read in pieces")
			}
		})
	}
}

func TestLargeFilesAreReadInPiecesBesideOthers(t *testing.T) {
	files := []File{
		{"a.json", []byte(`{"router": {"r": {"vrid": 5, "interface": "wan", "addresses": ["192.168.1.1/24"]}}}`)},
		{"b.hcl", []byte(blocks(8))},
		{"c.hcl", []byte("service \"p-3\" {\n  address = \"192.168.1.2:80\"\n}\n")},
	}
	if !sameInPieces(t, inSmall, files...) {
		t.Error("they were not read in pieces")
	}
	files[0].Src = []byte(`{"loc\u0061ls": {"h": "192.168.2.1"}}`)
	files[2].Src = []byte("service \"web\" {\n  address = \"192.168.1.2:80\"\n  forward = \"direct\"\n  server \"x\" {\n    address = local.h\n  }\n}\n")
	if !sameInPieces(t, inSmall, files...) {
		t.Error("they were not read in pieces, beside locals in JSON")
	}
	files[2].Src = []byte("service \"web\" {\n" + blocks(8))
	if !sameInPieces(t, inSmall, files...) {
		t.Error("they were not read in pieces, beside a block that is not closed")
	}
	files[0].Src = []byte(`{"router": {`)
	if sameInPieces(t, inSmall, files...) {
		t.Error("they were read in pieces, though one cannot be parsed")
	}
}

// All that follows a block which is not closed seems to be a part of it.
func TestABlockThatIsNotClosedIsAllThatIsSaid(t *testing.T) {
	const want = "c.hcl:52:15: error: there is no closing brace for this block before the end of the file. " +
		"This may be caused by incorrect brace nesting elsewhere in this file\n"
	src := blocks(10) + "\nservice \"web\" {\n  address = \"192.168.1.1:80\"\n\n" + blocks(10)
	other := File{"d.hcl", []byte("service \"x\" {\n  address = local.where\n}\n")} // of which it may have had the local
	for _, l := range []limits{usual, inSmall} {
		if _, problems := parseFiles([]File{{"c.hcl", []byte(src)}, other}, l); problems.String() != want {
			t.Errorf("in pieces of %d bytes:\n%s", l.piece, problems)
		}
	}
	if _, problems := ParseAgent("c.hcl", []byte("interfaces {\n  wan = \"eth0\"\n\nhealth \"x\" {\n}\n")); len(problems) != 1 || problems[0].Line != 1 {
		t.Errorf("of an agent file:\n%s", problems)
	}
}

// The parser reads nothing behind a brace that closes no block.
func TestABraceTooManyIsAllThatIsSaid(t *testing.T) {
	const want = "c.hcl:51:1: error: this brace closes no block: it is one too many, or one before it is\n"
	src := blocks(10) + "}\n" + blocks(10)
	other := File{"d.hcl", []byte("service \"x\" {\n  address = local.where\n}\n")} // of which it may have had the local
	for _, l := range []limits{usual, inSmall} {
		if _, problems := parseFiles([]File{{"c.hcl", []byte(src)}, other}, l); problems.String() != want {
			t.Errorf("in pieces of %d bytes:\n%s", l.piece, problems)
		}
	}
}

// FuzzPieces holds that a file is the same in pieces, wherever something strange stands in it.
func FuzzPieces(f *testing.F) {
	for _, name := range []string{"article.hcl", "mistakes.hcl", "warnings.hcl", "language/everywhere.hcl", "language/mistakes.hcl"} {
		f.Add(testdata(f, name))
	}
	for _, src := range []string{"}\n", "/*\n", "<<E\n", "\"\n", "a = 1\n", "locals {\n", "\ufeff", "\r", "x \"${\n", "x {\n", "x {\ny {\n}\n", "}\r\n", "*/ locals {\n"} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		padding := []byte(blocks(3))
		around := slices.Concat(src, padding, src)
		for _, whole := range [][]byte{src, slices.Concat(padding, src), around, bytes.ReplaceAll(around, []byte("\n"), []byte("\r\n"))} {
			sameInPieces(t, inSmall, File{"c.hcl", whole})
		}
	})
}
