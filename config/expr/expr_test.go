package expr

import (
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// compute evaluates an expression in the bounds of its own.
func compute(t *testing.T, src string) (cty.Value, string) {
	t.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(src), "", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", src, diags)
	}
	b := NewBounds(1_000_000)
	b.Bind(e)
	v, diags, err := b.Value(e, b.Context(nil))
	switch {
	case err != nil:
		return v, err.Error()
	case diags.HasErrors():
		return v, diags[0].Detail
	}
	return v, ""
}

func TestEveryFunctionDoesWhatIsSaidOfIt(t *testing.T) {
	var said []string
	for _, f := range Functions() {
		said = append(said, f.Name)
		got, wrong := compute(t, f.Example)
		want, _ := compute(t, f.Result)
		if wrong != "" || got.GoString() != want.GoString() && got.Equals(want).False() && !sameElements(got, want) {
			t.Errorf("%s is %#v %s, want %#v", f.Example, got, wrong, want)
		}
	}
	slices.Sort(said)
	if names := Names(); !slices.Equal(said, names) {
		t.Errorf("described are %q, there are %q", said, names)
	}
}

// sameElements compares what differs in type only: a list and a tuple, a map and an object.
func sameElements(a, b cty.Value) bool {
	if !a.CanIterateElements() || !b.CanIterateElements() || a.LengthInt() != b.LengthInt() {
		return false
	}
	x, y := a.AsValueSlice(), b.AsValueSlice()
	return slices.EqualFunc(x, y, func(a, b cty.Value) bool { return a.RawEquals(b) })
}

func TestAddressesAreComputed(t *testing.T) {
	for src, want := range map[string]string{
		`cidrhost("192.168.2.9/24", 0)`:              "192.168.2.0",
		`cidrhost("192.168.2.0/24", -1)`:             "192.168.2.255",
		`cidrhost("192.168.2.0/24", 256)`:            `Invalid value for "n" parameter: 192.168.2.0/24 has 256 addresses, from 0.`,
		`cidrhost("192.168.2.0/24", 1.5)`:            `Invalid value for "n" parameter: a whole number is needed.`,
		`cidrhost("2001:db8::/64", 4294967296)`:      "2001:db8::1:0:0",
		`cidrhost("::/0", -1)`:                       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		`cidrhost("nonsense", 1)`:                    `Invalid value for "network" parameter: "nonsense" is not a network, as in 192.168.2.0/24.`,
		`cidrsubnet("10.0.0.0/8", 16, 257)`:          "10.1.1.0/24",
		`cidrsubnet("10.0.0.0/8", 25, 0)`:            `Invalid value for "bits" parameter: 10.0.0.0/8 can be 24 bits longer.`,
		`cidrsubnet("10.0.0.0/8", 1, 2)`:             `Invalid value for "n" parameter: there are 2 such networks, from 0.`,
		`cidrsubnet("2001:db8::/32", 32, 1)`:         "2001:db8:0:1::/64",
		`endpoint("192.0.2.1", 80)`:                  "192.0.2.1:80",
		`endpoint("192.0.2.1", 65536)`:               `Invalid value for "port" parameter: a port is 1 to 65535.`,
		`endpoint("example.com", 80)`:                `Invalid value for "address" parameter: "example.com" is not an address.`,
		`"${join("", [for a in range(9) : "x"])}"`:   "xxxxxxxxx",
		`format("%s %03d", "a", 7)`:                  "a 007",
		`{ for k, v in { a = 1 } : k => v }["a"]`:    "1",
		`([{ a = 1 }, { a = 2 }][*].a)[1]`:           "2",
		`"${format("%%")}"`:                          "%",
		`tostring(length({ a = 1, b = 2 }))`:         "2",
		`tonumber("7") + length("abc") + length([])`: "10",
	} {
		v, wrong := compute(t, src)
		if wrong == "" {
			if v.Type() == cty.Number {
				v = cty.StringVal(v.AsBigFloat().String())
			}
			wrong = v.AsString()
		}
		if wrong != want {
			t.Errorf("%s is %s, want %s", src, wrong, want)
		}
	}
}
