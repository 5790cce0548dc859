package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A block that begins with a key in its own line, and is not closed there, hides nothing that is wrong elsewhere.
func TestAnOpenLineHidesNoOtherMistake(t *testing.T) {
	const router = "router \"out\" {\n  vrid = 300\n  interface = \"wan\"\n  addresses = [\"192.168.1.1/24\"]\n}\n"
	const open = "an argument definition on the same line as its containing block creates a single-line block definition, " +
		"which must also be closed on the same line. Place the block's closing brace immediately after the argument definition"
	const begin = "service \"web\" {\n  address = \"192.168.1.1:80\"\n  forward = \"direct\"\n"
	for _, tt := range []struct {
		name string
		src  string
		want []string
	}{
		{
			"a server that the line should have ended", begin + "  server \"192.168.2.1\" { weight = 1\n  server \"192.168.2.2\" { wieght = 1 }\n}\nservise \"x\" {\n}\n" + router,
			[]string{
				"4:36: error: " + open,
				"5:26: error: service \"web\", server 192.168.2.2: unknown key \"wieght\" (did you mean \"weight\"?)",
				"7:1: error: unknown block \"servise\" (did you mean \"service\"?)",
				"10:10: error: router \"out\": vrid is 300; it must be 1 to 255",
			},
		},
		{
			"one before another, with a comment", begin + "  server \"192.168.2.1\" { weight = 1 # {\n  server \"192.168.2.2\" { wieght = 1\n\n}\n",
			[]string{
				"4:37: error: " + open, "5:26: error: service \"web\", server 192.168.2.2: unknown key \"wieght\" (did you mean \"weight\"?)",
				"5:36: error: " + open,
			},
		},
		{
			"a block that goes on", "service \"web\" { address = \"192.168.1.1:80\"\n  wait = 1\n  forward = \"direct\"\n  server \"192.168.2.2\" { wieght = 1 }\n}\n",
			[]string{
				"1:43: error: " + open, "2:3: error: service \"web\": unknown key \"wait\" ",
				"4:26: error: service \"web\", server 192.168.2.2: unknown key \"wieght\" (did you mean \"weight\"?)",
			},
		},
		{
			"one whose brace is alone", begin + "  server \"192.168.2.1\" { weight = 1\n  }\n  server \"192.168.2.2\" { wieght = 1 }\n}\n",
			[]string{"4:36: error: " + open, "6:26: error: service \"web\", server 192.168.2.2: unknown key \"wieght\" (did you mean \"weight\"?)"},
		},
		{
			"one that has its key again", "service \"web\" { address = \"192.168.1.1:80\"\n  address = \"192.168.1.2:80\"\n  forward = \"direct\"\n}\n",
			[]string{"1:43: error: " + open, "2:3: error: the key \"address\" was set on line 1 already"},
		},
		{
			"a list of several lines in it", "service \"web\" { address = upper(\n  \"192.168.1.1:80\")\n  wait = 1\n}\n",
			[]string{"2:20: error: " + open, "3:3: error: service \"web\": unknown key \"wait\" "},
		},
		{
			"a comma, and no end", begin + "  server \"192.168.2.1\" { weight = 1, wait = 2\n  server \"192.168.2.2\" { wieght = 1 }\n}\n",
			[]string{
				"4:36: error: single-line block syntax can include only one argument definition. To define multiple arguments, use the multi-line block syntax with one argument definition per line",
				"5:26: error: service \"web\", server 192.168.2.2: unknown key \"wieght\" (did you mean \"weight\"?)",
			},
		},
		{
			"what does not fit together elsewhere", begin + "  server \"192.168.2.1\" { weight = 1\n}\nsync_group \"g\" { routers = [\"nobody\", \"out\"] }\n" + strings.Replace(router, "300", "30", 1),
			[]string{"4:36: error: " + open, "6:30: error: sync_group \"g\": there is no router \"nobody\" (one of out)"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := ParseFiles([]File{{"c.hcl", []byte(tt.src)}})
			var got []string
			for _, p := range problems.Errors() {
				got = append(got, strings.TrimPrefix(p.String(), "c.hcl:"))
			}
			if diff := cmp.Diff(tt.want, begins(got, tt.want)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// begins are texts, each cut to what it is wanted to begin with if it does: what follows is told elsewhere.
func begins(texts, want []string) []string {
	texts = slices.Clone(texts)
	for i := range min(len(texts), len(want)) {
		if want[i] != "" && strings.HasPrefix(texts[i], want[i]) {
			texts[i] = want[i]
		}
	}
	return texts
}

// Where an open line is not what it seems, the parser's own word stands, and none of it is lost.
func TestOpenLinesThatDoNotLeaveAWholeFile(t *testing.T) {
	for _, src := range []string{
		"service \"web\" { address = \"192.168.1.1:80\"\n  wait = 1\n",                          // closed nowhere
		"service \"web\" { address = \"192.168.1.1:80\"\nserver \"x\" {\n}\n}\n",                // closed behind lines that are not indented
		"service \"web\" { address = \"192.168.1.1:80\"",                                        // no line's end
		"service \"web\" { address = \"192.168.1.1:80\"\n}\n}\n",                                // one brace too many
		strings.Repeat("service \"web\" { address = \"192.168.1.1:80\"\n", 32),                  // more than are read again
		"service \"web\" { address = {\n  a = 1\n",                                              // in a value
		"service \"web\" { address = \"${upper(\"x\"\n}\n",                                      // in a text
		"service \"web\" { address = <<E\nx\nE\n}\n",                                            // of a text of several lines
		"service \"web\" { address = \"192.168.1.1:80\" }}\n",                                   // closed twice
		"service \"web\" { address = \"192.168.1.1:80\" forward = \"direct\" }\nservise x {}\n", // closed, with two keys
	} {
		_, told := hclsyntax.ParseConfig([]byte(src), "c.hcl", hcl.InitialPos)
		_, problems := ParseFiles([]File{{"c.hcl", []byte(src)}})
		var got []string
		for _, p := range problems.Errors() {
			got = append(got, p.String())
		}
		if len(told) == 0 {
			t.Errorf("the parser finds nothing wrong in %q", src)
		}
		for _, diag := range told {
			at, says := diag.Subject.Start, strings.TrimSuffix(diag.Detail, ".")
			if want := fmt.Sprintf("c.hcl:%d:%d: error: %s", at.Line, at.Column, strings.ToLower(says[:1])+says[1:]); !slices.Contains(got, want) {
				t.Errorf("in %q it is not told that %s; but\n%s", src, want, strings.Join(got, "\n"))
			}
		}
	}
}
