package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// noServers is a warning about a service.
func noServers(name string) Problem {
	return Problem{File: "c.hcl", Line: 7, Column: 9, Path: fmt.Sprintf("services[%q]", name), Warning: true, Text: fmt.Sprintf("service %q: has no servers", name)}
}

func TestWarningsOfOneKindAreGathered(t *testing.T) {
	line := func(name string) string {
		return fmt.Sprintf("c.hcl:7:9: warning: service %q: has no servers\n", name)
	}
	other := Problem{Path: `services["b"].servers[1].address`, Warning: true, Text: `service "b", server 10.0.0.1:80: is a virtual address of router "r"`}
	said := other.String() + "\n"
	var many, wrong Problems
	for i := range 16 {
		many = append(many, noServers(fmt.Sprint("s-", i)))
		wrong = append(wrong, Problem{Text: fmt.Sprintf("service \"s-%d\": has no address", i)})
	}
	stranger := func(group string) Problem { // which the agent finds
		return Problem{Path: fmt.Sprintf("groups[%q].placement", group), Warning: true, Text: fmt.Sprintf("group %q: its placement names \"d9\"", group)}
	}
	three := Problems{noServers("a"), noServers("b"), noServers("c")}
	for _, tt := range []struct {
		name     string
		problems Problems
		want     string
	}{
		{"a few", three, line("a") + line("b") + line("c")},
		{"one more", append(three[:3:3], noServers("d")), line("a") + line("b") + line("c") + "warning: and 1 more like this, of service \"d\"\n"},
		{"more about one thing", append(three[:3:3], noServers("d"), noServers("d")), line("a") + line("b") + line("c") + "warning: and 2 more like this, of service \"d\"\n"},
		{"many", many, line("s-0") + line("s-1") + line("s-2") + "warning: and 13 more like this, of services " +
			"\"s-3\", \"s-4\", \"s-5\", \"s-6\", \"s-7\", \"s-8\", \"s-9\", \"s-10\", \"s-11\", \"s-12\", ...\n"},
		{"two kinds", Problems{three[0], other, three[1], other, three[2], other, noServers("d"), other}, line("a") + said + line("b") + said + line("c") +
			"warning: and 1 more like this, of service \"d\"\n" + said + "warning: and 1 more like this, of service \"b\"\n"},
		{"about placements", Problems{stranger("a"), stranger("b"), stranger("c"), stranger("d"), stranger("e")}, stranger("a").String() + "\n" + stranger("b").String() + "\n" +
			stranger("c").String() + "\n" + "warning: and 2 more like this, of groups \"d\", \"e\"\n"},
		{"about nothing that has a name", slices.Repeat(Problems{{Warning: true, Text: "x is 5"}}, 5), "warning: x is 5\nwarning: x is 5\nwarning: x is 5\nwarning: and 2 more like this\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.problems.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if n := strings.Count(wrong.String(), "\n"); n != len(wrong) {
		t.Errorf("%d errors of one kind are %d lines:\n%s", len(wrong), n, wrong)
	}
}

func TestAnErrorIsSaidBeforeTheWarnings(t *testing.T) {
	var file strings.Builder
	for i := range 2 * maxProblems {
		fmt.Fprintf(&file, "service \"s-%d\" {\n  address = \"10.0.%d.%d:80\"\n}\n", i, i/250, i%250+1)
	}
	file.WriteString("service \"z\" {\n  address = \"10.1.0.1:80\"\n  server \"10.2.0.1:80\" {\n    weight = 70000\n  }\n}\n")
	_, problems := ParseCluster("c.hcl", []byte(file.String()))
	lines := strings.Split(problems.String(), "\n")
	if !strings.HasPrefix(lines[0], "c.hcl:6004:14: error: ") || len(lines) > 12 || len(problems) != maxProblems+1 {
		t.Errorf("of %d problems:\n%s", len(problems), problems)
	}
}

func TestWhatAnotherFoundIsBesidesWhatAFileHas(t *testing.T) {
	file := Problems{noServers("a"), noServers("b")}
	unlike, wrong, again := Problem{Warning: true, Text: "d2 has no interface dmz"}, Problem{Text: `service "c": has no servers`}, noServers("a")
	again.File, again.Line, again.Column = "", 0, 0 // who has no file has no place
	found := Problems{again, noServers("z"), unlike, wrong}
	if diff := cmp.Diff(Problems{noServers("z"), unlike, wrong}, file.Besides(found)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	each := noServers("a")
	each.Each = `service "a" and 5 more`
	if diff := cmp.Diff(Problems{unlike, wrong}, Problems{each}.Besides(found)); diff != "" {
		t.Errorf("of what is in several elements (-want +got):\n%s", diff)
	}
	for i := range maxProblems {
		file = append(file, noServers(fmt.Sprint("s-", i)))
	}
	if diff := cmp.Diff(Problems{unlike, wrong}, file.Besides(found)); diff != "" {
		t.Errorf("of a list that is cut off (-want +got):\n%s", diff)
	}
}
