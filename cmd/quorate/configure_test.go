package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/fsm"
)

func TestWhatAConfigurationLeavesNothingOf(t *testing.T) {
	with := func(routers, services int) fsm.Config {
		c := fsm.Config{Routers: map[string]fsm.Router{}, Services: map[string]fsm.Service{}}
		for i := range routers {
			name := fmt.Sprint("r", i)
			c.Routers[name] = fsm.Router{Name: name}
		}
		for i := range services {
			name := fmt.Sprint("s", i)
			c.Services[name] = fsm.Service{Name: name}
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

func TestWhatNoDirectorCouldDoIsSaidBeforeAnythingIsToBeAllowed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.hcl")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &picky{}
	var out, errOut bytes.Buffer
	code := run([]string{"apply", file, "--yes", "--socket", serve(t, p)}, strings.NewReader(""), &out, &errOut)
	if want := "quorate: d2 has no interface dmz; nothing was applied\n"; code != 1 || errOut.String() != want || len(p.applied) > 0 {
		t.Errorf("exit %d, it says %q, want %q", code, &errOut, want)
	}
}
