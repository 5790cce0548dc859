// Package imports holds the table of who may import whom, and the test that holds the code against it.
// It promises that a package of the module which is not in the table, or which imports what its line
// does not allow, fails the test with the package, the import and the rule. It never builds anything.
package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/quorate/quorate/"

// A rule says what the packages of a folder may import of ours. A folder always may import its own
// sub-packages; a package is under the rule with the longest folder that contains it.
type rule struct {
	folder string
	may    []string // folders, with all below them; "*" is everything
	not    []string // exceptions to may
}

var rules = []rule{
	{folder: "fsm"},
	{folder: "config", may: []string{"fsm"}},
	{folder: "program"},
	{folder: "durable"},
	{folder: "lineage"},
	{folder: "private"},
	{folder: "checks", may: []string{"fsm", "program"}},
	{folder: "cluster", may: []string{"fsm", "durable", "lineage"}},
	{folder: "cluster/hush"},
	{folder: "cluster/logstore", may: []string{"cluster/hush", "durable"}},
	{folder: "cluster/port", may: []string{"cluster/pki", "cluster/hush"}},
	{folder: "cluster/pki", may: []string{"fsm", "durable", "lineage"}},
	{folder: "director", may: []string{"fsm"}},
	{folder: "director/ownership", may: []string{"fsm"}},
	{folder: "director/placement", may: []string{"fsm", "director/ownership"}},
	{folder: "director/vrrp"},
	{folder: "director/address"},
	{folder: "director/accept"},
	{folder: "director/ipvs", may: []string{"durable"}},
	{folder: "director/host"},
	{folder: "director/probe"},
	{folder: "director/suspend"},
	{folder: "director/track", may: []string{"program"}},
	{folder: "director/hook", may: []string{"program", "durable"}},
	{folder: "director/keeper", may: []string{"director/vrrp", "director/address", "director/accept", "director/ipvs/quiet", "director/suspend", "durable"}},
	{folder: "api", may: []string{"fsm", "config", "lineage"}},
	{folder: "agent", may: []string{"*"}, not: []string{"cmd", "e2e"}},
	{folder: "cmd/quorate", may: []string{"*"}},
	{folder: "e2e", may: []string{"*"}},
	{folder: "e2e/lab"},
	{folder: "e2e/tally"},
	{folder: "scripts"},
	{folder: "dist", may: []string{"config"}},
}

// An exclusive is a module of others that one folder alone may import, so that it can be replaced there.
type exclusive struct {
	path   string // this import path and all that begin with it
	folder string
}

var exclusives = []exclusive{
	{"github.com/hashicorp/raft", "cluster"}, // raft-boltdb too
	{"github.com/hashicorp/memberlist", "cluster"},
	{"github.com/moby/ipvs", "director/ipvs"},
}

// standardOnly are the folders that import nothing but the standard library.
var standardOnly = []string{"fsm", "durable", "lineage", "private"}

// Tests may import these beside what their package may.
var forTests = []string{module + "e2e/lab", "github.com/google/go-cmp"}

// pkg is what `go list -json` says of a package, as far as it is read.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func TestEveryPackageImportsOnlyWhatItsRuleAllows(t *testing.T) {
	pkgs, err := list(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) < 2 {
		t.Fatalf("go list found %d packages, too few to be this module", len(pkgs))
	}
	for _, p := range pkgs {
		for _, v := range violations(p) {
			t.Error(v)
		}
	}
}

func list(t *testing.T) ([]pkg, error) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", cmd, err, &stderr)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read what go list wrote: %w", err)
		}
		pkgs = append(pkgs, p)
	}
}

// violations returns a line for each import of p that breaks a rule.
func violations(p pkg) []string {
	folder := strings.TrimPrefix(p.ImportPath, module)
	r, ok := ruleFor(folder)
	if !ok {
		return []string{folder + " has no rule: add it to the table of e2e/imports, and to the design"}
	}
	var found []string
	for _, imp := range p.Imports {
		if broken := r.check(folder, imp); broken != "" {
			found = append(found, fmt.Sprintf("%s imports %s: %s", folder, imp, broken))
		}
	}
	tests := slices.Concat(p.TestImports, p.XTestImports)
	slices.Sort(tests)
	for _, imp := range slices.Compact(tests) {
		if imp == p.ImportPath || slices.ContainsFunc(forTests, func(dir string) bool { return within(imp, dir) }) {
			continue
		}
		if broken := r.check(folder, imp); broken != "" {
			found = append(found, fmt.Sprintf("a test of %s imports %s: %s", folder, imp, broken))
		}
	}
	return found
}

func ruleFor(folder string) (rule, bool) {
	var best rule
	for _, r := range rules {
		if within(folder, r.folder) && len(r.folder) > len(best.folder) {
			best = r
		}
	}
	return best, best.folder != ""
}

// check returns the rule that an import by a package in folder breaks, or "".
func (r rule) check(folder, imp string) string {
	for _, e := range exclusives {
		if strings.HasPrefix(imp, e.path) && !within(folder, e.folder) {
			return fmt.Sprintf("only %s may import %s", e.folder, e.path)
		}
	}
	ours, isOurs := strings.CutPrefix(imp, module)
	first, _, _ := strings.Cut(imp, "/")
	if !isOurs && strings.Contains(first, ".") && slices.Contains(standardOnly, r.folder) {
		return r.folder + " imports the standard library only"
	}
	if !isOurs || within(ours, r.folder) || r.allows(ours) {
		return ""
	}
	switch {
	case len(r.may) == 0:
		return r.folder + " may import nothing of ours"
	case r.may[0] == "*":
		return fmt.Sprintf("%s may import all of ours but %s", r.folder, strings.Join(r.not, ", "))
	default:
		return fmt.Sprintf("of ours, %s may import %s", r.folder, strings.Join(r.may, ", "))
	}
}

func (r rule) allows(ours string) bool {
	contains := func(dir string) bool { return dir == "*" || within(ours, dir) }
	return slices.ContainsFunc(r.may, contains) && !slices.ContainsFunc(r.not, contains)
}

func within(path, dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

func TestAViolationNamesPackageImportAndRule(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   pkg
		want string // "" if it is allowed
	}{
		{"the standard library", pkg{ImportPath: module + "fsm", Imports: []string{"net/netip"}}, ""},
		{"fsm with a library", pkg{ImportPath: module + "fsm", Imports: []string{"golang.org/x/sync/errgroup"}},
			"fsm imports golang.org/x/sync/errgroup: fsm imports the standard library only"},
		{"fsm with ours", pkg{ImportPath: module + "fsm", Imports: []string{module + "config"}},
			"fsm imports github.com/quorate/quorate/config: fsm may import nothing of ours"},
		{"a test of fsm with go-cmp", pkg{ImportPath: module + "fsm", TestImports: []string{"github.com/google/go-cmp/cmp"}}, ""},
		{"a test of fsm with ours", pkg{ImportPath: module + "fsm", XTestImports: []string{module + "fsm", module + "api"}},
			"a test of fsm imports github.com/quorate/quorate/api: fsm may import nothing of ours"},
		{"an own sub-package", pkg{ImportPath: module + "config", Imports: []string{module + "config/keepalived"}}, ""},
		{"a sub-package that imports what its parent may", pkg{ImportPath: module + "config/keepalived", Imports: []string{module + "fsm"}}, ""},
		{"a folder with a rule of its own inside another", pkg{ImportPath: module + "director/vrrp", Imports: []string{module + "fsm"}},
			"director/vrrp imports github.com/quorate/quorate/fsm: director/vrrp may import nothing of ours"},
		{"a folder whose name begins alike", pkg{ImportPath: module + "api", Imports: []string{module + "fsmx"}},
			"api imports github.com/quorate/quorate/fsmx: of ours, api may import fsm, config, lineage"},
		{"raft outside cluster", pkg{ImportPath: module + "cmd/quorate", Imports: []string{"github.com/hashicorp/raft-boltdb/v2"}},
			"cmd/quorate imports github.com/hashicorp/raft-boltdb/v2: only cluster may import github.com/hashicorp/raft"},
		{"raft in cluster", pkg{ImportPath: module + "cluster", Imports: []string{"github.com/hashicorp/raft"}}, ""},
		{"the binary in agent", pkg{ImportPath: module + "agent", Imports: []string{module + "cmd/quorate"}},
			"agent imports github.com/quorate/quorate/cmd/quorate: agent may import all of ours but cmd, e2e"},
		{"a new folder", pkg{ImportPath: module + "util"},
			"util has no rule: add it to the table of e2e/imports, and to the design"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(violations(tt.in), "\n"); got != tt.want {
				t.Errorf("violations:\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
}
