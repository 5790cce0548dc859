package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

func TestWhatAConfigurationLeavesNothingOf(t *testing.T) {
	with := func(routers, services int) fsm.Config {
		c := fsm.Config{Routers: map[string]fsm.Router{}}
		for i := range routers {
			name := fmt.Sprint("r", i)
			c.Routers[name] = fsm.Router{Name: name}
		}
		for i := range services {
			name := fmt.Sprint("s", i)
			c.Services = c.Services.With(name, fsm.Service{Name: name})
		}
		return c
	}
	for _, tt := range []struct {
		name   string
		is, to fsm.Config
		want   string
	}{
		{"the first of a new cluster", with(0, 0), with(1, 1), ""},
		{"nothing, of a new cluster", with(0, 0), with(0, 0), ""},
		{"services alone, where there is no router", with(0, 2), with(0, 1), ""},
		{"routers alone, where there is no service", with(2, 0), with(1, 0), ""},
		{"one of two each", with(2, 2), with(1, 1), ""},
		{"the only router", with(1, 2), with(0, 2), "the only router"},
		{"all routers", with(3, 2), with(0, 2), "all 3 routers"},
		{"the only service", with(1, 1), with(1, 0), "the only service"},
		{"all services", with(1, 3), with(1, 0), "all 3 services"},
		{"both", with(1, 3), with(0, 0), "the only router and all 3 services"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := emptied(tt.to, api.Plan{Changes: config.Diff(tt.is, tt.to)}); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// picky is an agent to which no configuration is fit.
type picky struct{ whole }

func (p *picky) Plan(ctx context.Context, r api.ApplyRequest) (api.Plan, error) {
	plan, err := p.whole.Plan(ctx, r)
	plan.Problems = append(plan.Problems, config.Problem{Text: "d2 has no interface dmz"})
	return plan, err
}

func (p *picky) PlanRollback(ctx context.Context, r api.RollbackRequest) (api.Plan, error) {
	return p.Plan(ctx, api.ApplyRequest{})
}

func TestWhatNoDirectorCouldDoIsSaidBeforeAnythingIsToBeAllowed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.hcl")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &picky{}
	socket := serve(t, p)
	for _, args := range [][]string{{"apply", file, "--yes"}, {"rollback", "6", "--yes"}} {
		var out, errOut bytes.Buffer
		code := run(append(args, "--socket", socket), strings.NewReader(""), &out, &errOut)
		if want := "quorate: d2 has no interface dmz; nothing was applied\n"; code != 1 || errOut.String() != want || out.Len() > 0 || len(p.applied) > 0 {
			t.Errorf("%s: exit %d, it says %q, want %q", args[0], code, &errOut, want)
		}
	}
}

func TestWarningsAreGatheredForPeopleAndKeptForPrograms(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.hcl")
	var src strings.Builder
	for i := range 20 {
		fmt.Fprintf(&src, "service \"s-%d\" {\n  address = \"10.0.0.%d:80\"\n  server \"10.1.0.1:80\" {}\n}\n", i, i+1)
	}
	if err := os.WriteFile(file, []byte(src.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := serve(t, &whole{})
	for _, args := range [][]string{{"validate", file}, {"plan", file}, {"apply", file, "--yes", "--allow-empty"}} {
		var out, errOut bytes.Buffer
		run(append(args, "--socket", socket), strings.NewReader(""), &out, &errOut)
		if !strings.Contains(errOut.String(), "s-2\": no router holds") || strings.Contains(errOut.String(), "s-3\": no router holds") ||
			!strings.Contains(errOut.String(), "warning: and 17 more like this, of services \"s-3\", ") {
			t.Errorf("%s says:\n%s", args[0], &errOut)
		}
		out.Reset()
		run(append(args, "--socket", socket, "-o", "json"), strings.NewReader(""), &out, &errOut)
		if n := strings.Count(out.String(), "no router holds"); n != 20 {
			t.Errorf("%s -o json has %d of 20 warnings", args[0], n)
		}
	}
}

// TestAClusterFileMayBeStandardInput gives it both syntaxes, beside a file, and what is wrong.
func TestAClusterFileMayBeStandardInput(t *testing.T) {
	const router = `router "web" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.0.2.1/24"]
}
`
	inJSON := config.FormatJSON(config.WithDefaults(current()))
	other := filepath.Join(t.TempDir(), "other.hcl")
	if err := os.WriteFile(other, []byte(strings.NewReplacer("web", "other", "51", "52", "2.1/", "2.9/").Replace(router)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, in string
		args     []string
		code     int
		want     string
	}{
		{"HCL", router, []string{"validate", "-"}, 0, "- is valid: 1 router, 0 sync groups, 0 services\n"},
		{"JSON", string(inJSON), []string{"validate", "-"}, 0, "- is valid: 1 router, 0 sync groups, 0 services\n"},
		{"beside a file", router, []string{"validate", "-", other, "-"}, 0, "valid: 2 routers,"},
		{"a mistake", router + "rooter {}\n", []string{"validate", "-"}, 1, "stdin:6:1: error: unknown block \"rooter\""},
		{"a plan", router, []string{"plan", "-"}, 0, ""},
		{"an apply", router, []string{"apply", "-", "--yes"}, 0, ""},
		{"nobody to ask", strings.Replace(router, "51", "53", 1), []string{"apply", "-"}, 1, "confirm with --yes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			code := run(append(tt.args, "--socket", serve(t, &whole{})), strings.NewReader(tt.in), &out, &errOut)
			if all := out.String() + errOut.String(); code != tt.code || !strings.Contains(all, tt.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, tt.code, tt.want, all)
			}
		})
	}
}

// unfitting is an agent that knows an error and a warning of its own.
type unfitting struct{ whole }

func (u *unfitting) Plan(ctx context.Context, r api.ApplyRequest) (api.Plan, error) {
	plan, err := u.whole.Plan(ctx, r)
	plan.Problems = config.Problems{{Warning: true, Text: "d2 has no CPU to spare"}, {Text: "d2 has no interface dmz"}}
	return plan, err
}

func TestTheAgentsErrorsAreBeforeTheFilesWarnings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.hcl")
	if err := os.WriteFile(file, []byte("service \"web\" {\n  address = \"10.0.0.1:80\"\n  server \"10.1.0.1:80\" {}\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	run([]string{"plan", file, "-o", "json", "--socket", serve(t, &unfitting{})}, strings.NewReader(""), &out, &errOut)
	var plan api.Plan
	if err := json.Unmarshal(out.Bytes(), &plan); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range plan.Problems {
		texts = append(texts, p.Text)
	}
	want := []string{"d2 has no interface dmz", `service "web": no router holds 10.0.0.1`, "d2 has no CPU to spare", "this removes the only router"}
	if !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
}

func TestAPlanSaysWhetherItKnowsAllConnections(t *testing.T) {
	for want, plan := range map[string]api.Plan{
		"at risk: 3\n": {Connections: 3},
		"at risk: at least 3, since not every director could say\n": {Connections: 3, AtLeast: true},
		"at risk: at least 0, since not every director could say\n": {AtLeast: true},
	} {
		var b strings.Builder
		plan.Changes = []config.Change{{}}
		if err := printPlan(&b, plan); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("want %q: %v\n%s", want, err, b.String())
		}
	}
}
