package config

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/quorate/quorate/fsm"
)

func TestWhatIsPrintedParsesToTheSame(t *testing.T) {
	for seed := range 500 {
		c := newGenerator(seed).config(t)
		text := Format(c)
		again, problems := ParseCluster("c.hcl", text)
		if diff := cmp.Diff(c, again, byValue); diff != "" || problems.Err() != nil {
			t.Fatalf("seed %d:\n%s\n%v\n%s", seed, text, problems.Err(), diff)
		}
		inJSON := FormatJSON(c)
		again, problems = ParseCluster("c.json", inJSON)
		if diff := cmp.Diff(c, again, byValue); diff != "" || problems.Err() != nil || len(Diff(c, again)) > 0 {
			t.Fatalf("seed %d:\n%s\n%v\n%s", seed, inJSON, problems.Err(), diff)
		}
		if diff := cmp.Diff(string(hclwrite.Format(text)), string(text)); diff != "" {
			t.Fatalf("seed %d is not laid out as hclfmt does it:\n%s", seed, diff)
		}
	}
}

func TestWhatIsPrintedIsPrintedAlikeAgain(t *testing.T) {
	text := testdata(t, "article.format.hcl")
	c, problems := ParseCluster("article.format.hcl", text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(string(text), string(Format(c))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheModelSurvivesJSONAndDefaults(t *testing.T) {
	for seed := range 100 {
		c := newGenerator(seed).config(t)
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var again fsm.Config
		if err := json.Unmarshal(b, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, WithDefaults(again), byValue); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func TestDefaultsMakeASparseModelValid(t *testing.T) {
	c := webConfig()
	r := c.Routers["outside"]
	r.Interval = 0
	c.Routers["outside"] = r
	s := c.Services.Of("web")
	s.Protocol, s.Scheduler, s.Forward, s.Agreement = "", "", "", ""
	s.Checks = []fsm.Check{{Kind: fsm.CheckHTTP, Path: "/health"}}
	f := *s.Fallback
	f.Weight = 0
	s.Fallback = &f
	c.Services = c.Services.With("web", s)
	if Validate(c).Err() == nil {
		t.Error("the sparse model is valid already")
	}
	if diff := cmp.Diff(webConfig(), WithDefaults(c), byValue); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if c.Services.Of("web").Fallback.Weight != 0 || c.Routers["outside"].Interval != 0 || s.Checks[0].Rise != 0 {
		t.Error("WithDefaults changed its argument")
	}
}

// TestEveryFieldOfTheModelIsPrintedAndCompared fails when the model gains a field that the cluster
// file cannot say or a plan would not show.
func TestEveryFieldOfTheModelIsPrintedAndCompared(t *testing.T) {
	for _, tt := range []struct {
		value any
		attrs func(v reflect.Value) []attr
		keys  map[string]bool // fields that are labels, blocks or the name
	}{
		{fsm.Router{}, attrsOf(routerAttrs), map[string]bool{"Name": true, "Peers": true, "Auth": true, "Routes": true, "Rules": true, "Needs": true, "Placement": true}},
		{fsm.Peer{}, attrsOf(peerAttrs), map[string]bool{"Address": true}},
		{fsm.Auth{}, attrsOf(authAttrs), map[string]bool{"Kind": true}},
		{fsm.Route{}, attrsOf(routeAttrs), map[string]bool{"To": true}},
		{fsm.Rule{}, attrsOf(ruleAttrs), nil},
		{fsm.Use{}, attrsOf(useAttrs), map[string]bool{"Track": true, "Require": true}},
		{fsm.Hook{}, attrsOf(hookAttrs), map[string]bool{"Name": true}},
		{fsm.SyncGroup{}, attrsOf(groupAttrs), map[string]bool{"Name": true, "Needs": true, "Placement": true}},
		{fsm.Placement{}, attrsOf(placementAttrs), map[string]bool{"Policy": true, "Scores": true, "OnQuorumLoss": true, "OnSegmentCut": true}},
		{fsm.Track{}, attrsOf(trackAttrs), map[string]bool{"Name": true, "Kind": true}},
		{fsm.Service{}, attrsOf(serviceAttrs), map[string]bool{"Name": true, "Checks": true, "Servers": true, "Fallback": true}},
		{fsm.Server{}, attrsOf(serverAttrs), map[string]bool{"Address": true}},
		{fsm.Check{}, attrsOf(checkAttrs), map[string]bool{"Kind": true}},
	} {
		typ := reflect.TypeOf(tt.value)
		for i := range typ.NumField() {
			field := typ.Field(i)
			if tt.keys[field.Name] {
				continue
			}
			v := reflect.New(typ).Elem()
			fill(t, v.Field(i))
			before, after := tt.attrs(reflect.Zero(typ)), tt.attrs(v)
			if len(diffAttrs(before, after)) == 0 {
				t.Errorf("%s.%s: a change is not seen", typ, field.Name)
			}
		}
	}
	if n := reflect.TypeFor[fsm.Config]().NumField(); n != 4 {
		t.Errorf("fsm.Config has %d fields: teach Format and Diff, then this test", n)
	}
}

func attrsOf[T any](attrs func(T) []attr) func(reflect.Value) []attr {
	return func(v reflect.Value) []attr { return attrs(v.Interface().(T)) }
}

// fill sets a value to something that is not zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1_000_000)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(7)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Struct:
		if u, ok := v.Addr().Interface().(interface{ UnmarshalText([]byte) error }); ok {
			for _, text := range []string{"192.0.2.1:80", "192.0.2.1", "192.0.2.0/24"} {
				if err := u.UnmarshalText([]byte(text)); err == nil {
					return
				}
			}
		}
		fallthrough
	default:
		t.Fatalf("teach fill about %s", v.Type())
	}
}

// FuzzParseCluster holds that nothing panics, and that what parses is printed so that it parses alike.
func FuzzParseCluster(f *testing.F) {
	for _, name := range []string{
		"article.hcl", "article.json", "mistakes.hcl", "article.format.hcl", "mistakes-vrrp.hcl", "mistakes-placement.hcl", "warnings.hcl",
		"examples/everything.hcl", "examples/everything.json", "doubts.hcl",
		"language/hundred.hcl", "language/everywhere.hcl", "language/everywhere.json", "language/mistakes.hcl",
	} {
		f.Add(testdata(f, name))
	}
	for _, e := range expensive {
		if len(e.src) < 10_000 {
			f.Add([]byte(e.src))
		}
	}
	for seed := range 20 {
		f.Add(Format(newGenerator(seed).config(&testing.T{})))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, name := range []string{"c.hcl", "c.json"} {
			c, problems := parseFiles([]File{{name, src}}, limits{steps: 100_000, blocks: 5_000}) // slower would be taken for a hang
			if problems.Err() != nil {
				continue
			}
			if p := Validate(c); p.Err() != nil {
				t.Fatalf("what parses is not valid: %v", p.Err())
			}
			again, problems := ParseCluster("again.hcl", Format(c))
			if diff := cmp.Diff(c, again, byValue); diff != "" || problems.Err() != nil {
				t.Fatalf("%s\n%v\n%s", Format(c), problems.Err(), diff)
			}
			again, problems = ParseCluster("again.json", FormatJSON(c))
			if diff := cmp.Diff(c, again, byValue); diff != "" || problems.Err() != nil {
				t.Fatalf("%s\n%v\n%s", FormatJSON(c), problems.Err(), diff)
			}
		}
	})
}
