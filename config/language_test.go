package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func TestAHundredServicesAreNotAHundredCopies(t *testing.T) {
	src := testdata(t, "language/hundred.hcl")
	c, problems := ParseCluster("hundred.hcl", src)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if c.Services.Len() != 100 || len(c.Services.Of("app-8100").Servers) != 50 || len(src) > 1000 {
		t.Errorf("%d services, one with %d servers, from %d bytes", c.Services.Len(), len(c.Services.Of("app-8100").Servers), len(src))
	}
	if s := c.Services.Of("app-8001"); s.Servers[49].Address.String() != "10.1.0.50:8001" || s.Servers[0].Weight != 2 || c.Services.Of("app-8002").Servers[0].Weight != 1 {
		t.Errorf("the first service is %+v", s)
	}
}

func TestWhatIsComputedIsTheSameInJSON(t *testing.T) {
	native, problems := ParseCluster("everywhere.hcl", testdata(t, "language/everywhere.hcl"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	golden(t, "language/everywhere.txt", append([]byte(problems.String()), Format(native)...))
	inJSON, problems := ParseCluster("everywhere.json", testdata(t, "language/everywhere.json"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(native, inJSON, byValue); diff != "" {
		t.Errorf("(-HCL +JSON):\n%s", diff)
	}
}

func TestMistakesInWhatIsComputedHaveTheirPlaceAndElement(t *testing.T) {
	_, problems := ParseCluster("mistakes.hcl", testdata(t, "language/mistakes.hcl"))
	golden(t, "language/mistakes.txt", []byte(problems.String()))
	for _, p := range problems {
		if p.Line == 0 || p.Column == 0 {
			t.Errorf("no place: %s", p)
		}
	}
}

func TestABlockThatCannotBeRepeatedHidesNoOtherMistake(t *testing.T) {
	_, problems := ParseCluster("c.hcl", []byte(`router "a" {
  for_each  = 7
  vrid      = each.value
  interface = "wan"
  addresses = ["192.0.2.1/24"]
}
sync_group "g" { routers = ["a-1", "b"] }
router "b" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.0.2.0/24"]
}
router "c" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.0.2.3/24"]
  require "uplink" {}
}
`))
	want := []string{"c.hcl:2:15: error: router \"a\": for_each must be a list or a map", "c.hcl:11:17: error: router \"b\": 192.0.2.0/24 is the network's address", "c.hcl:14:15: error: router \"c\": vrid 51 is used by"}
	for i, p := range problems {
		if i >= len(want) || !strings.HasPrefix(p.String(), want[i]) {
			t.Errorf("problem %d: %s", i, p)
		}
	}
	if len(problems) < len(want) {
		t.Errorf("%d problems: %v", len(problems), problems)
	}
}

func TestLocalsOfOneFileServeTheOthers(t *testing.T) {
	c, problems := ParseFiles([]File{
		{"a.json", []byte(`{"locals": {"vip": "${local.net}.1"}}`)},
		{"b.hcl", []byte("router \"r\" {\n  vrid = 1\n  interface = \"wan\"\n  addresses = [\"${local.vip}/24\"]\n}\n")},
		{"c.hcl", []byte("locals { net = \"192.0.2\" }\n")},
	})
	if len(problems) > 0 || c.Routers["r"].Addresses[0].String() != "192.0.2.1/24" {
		t.Errorf("%v %v", problems, c)
	}
}

// expensive are files that are small and would be large, or take for ever, if they were let.
var expensive = map[string]struct{ src, want string }{
	"text that doubles": {"locals {\n  a0 = \"0123456789\"\n" + chain(1, 60, "\"${local.%[1]s}${local.%[1]s}\"") + "}\n", "a text has 1310720 bytes; the limit is 1048576"},
	"lists that double": {"locals {\n  a0 = [\"x\"]\n" + chain(1, 60, "concat(local.%[1]s, local.%[1]s)") + "}\n", tooMany},
	"lists of lists":    {"locals {\n  a0 = [\"x\"]\n" + chain(1, 60, "[local.%[1]s, local.%[1]s]") + "}\n", tooMany},
	"deep lists":        {"locals {\n  a0 = [\"x\"]\n" + chain(1, 60, "[local.%[1]s]") + "}\n", "a value is nested more than 32 levels deep"},
	"squares":           {"locals {\n  a0 = 9\n" + chain(1, 60, "local.%[1]s * local.%[1]s") + "}\n", "a number is beyond all bounds"},
	"equal lists":       {"locals {\n  a0 = [\"x\"]\n" + chain(1, 60, "[local.%[1]s == local.%[1]s, local.%[1]s, local.%[1]s]") + "}\n", tooMuch},
	"conditions":        {"locals {\n  a0 = [\"x\"]\n" + chain(1, 60, "true ? [local.%[1]s, local.%[1]s] : []") + "}\n", tooMany},
	"nested fors":       {"locals {\n  r = range(1000)\n  a = [for a in local.r : [for b in local.r : [for c in local.r : [for d in local.r : d]]]]\n}\n", tooMany},
	"a wide format":     {"locals {\n  a = format(\"%999999999d\", 1)\n}\n", "a field is 999 characters wide at most"},
	"many wide fields":  {"locals {\n  a = join(\"\", [for a in range(1000) : \"%999d\"])\n  b = format(join(\"\", [for a in range(100) : local.a]), 1)\n}\n", "format"},
	"joined":            {"locals {\n  a = join(\"\", [for a in range(1000) : \"0123456789\"])\n  b = join(local.a, range(1000))\n}\n", "a text has 10000000 bytes; the limit is 1048576"},
	"replaced":          {"locals {\n  a = join(\"\", [for a in range(1000) : \"0123456789\"])\n  b = replace(local.a, \"0\", local.a)\n}\n", "a text has 10000000 bytes; the limit is 1048576"},
	"a long number":     {"locals {\n  a = join(\"\", [for a in range(1000) : \"0123456789\"])\n  b = local.a + 1\n}\n", "a text of 10000 characters is no number"},
	"many blocks":       {"service \"s\" {\n  for_each = range(1000)\n  mark = each.value + 1\n  server \"x\" {\n    for_each = range(1000)\n    address = \"10.0.0.1\"\n  }\n}\n", "for_each makes more than 200000 blocks"},
	"many large blocks": {"service \"s\" {\n  for_each = range(1000)\n" + strings.Repeat("  server \"10.0.0.1\" {}\n", 100_000) + "}\n", "for_each makes more than 200000 blocks"},
	"many mistakes":     {"service \"s\" {\n  for_each = range(1000)\n" + strings.Repeat("  x \"10.0.0.1\" {}\n", 1000) + "}\n", "more problems"},
	"a long chain":      {"locals {\n  a0 = 1\n" + chain(1, 20_000, "local.%[1]s") + "}\n", "more than 5000 locals"},
}

const (
	tooMuch = "the files compute too much"
	tooMany = "a value has more than 200000 parts"
)

// chain makes locals, each from the one before.
func chain(first, last int, form string) string {
	var b strings.Builder
	for i := first; i <= last; i++ {
		fmt.Fprintf(&b, "  a%d = %s\n", i, strings.ReplaceAll(form, "%[1]s", fmt.Sprintf("a%d", i-1)))
	}
	return b.String()
}

func TestAFileThatWouldExplodeIsRefused(t *testing.T) {
	for name, tt := range expensive {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			c, problems := ParseCluster("c.hcl", []byte(tt.src))
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			if !strings.Contains(problems.String(), tt.want) || !cmp.Equal(c, fsm.Config{}) {
				t.Errorf("got %.600s\nwant %s", problems, tt.want)
			}
			if len(problems) > maxProblems+1 {
				t.Errorf("%d problems", len(problems))
			}
		})
	}
}
