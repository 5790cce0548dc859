package expr

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// Function is what the documentation says of a function.
type Function struct {
	Name, Use, Text, Example, Result string
}

// Functions describes all functions, by what they are for.
func Functions() []Function { return slices.Clone(documented) }

// Names returns the names of all functions.
func Names() []string { return slices.Sorted(maps.Keys(NewBounds(0).functions)) }

var documented = []Function{
	{"cidrhost", "cidrhost(NETWORK, N)", "the address with number N in a network; counted from its end if N is negative", `cidrhost("192.168.2.0/24", 10)`, `"192.168.2.10"`},
	{"cidrsubnet", "cidrsubnet(NETWORK, BITS, N)", "network number N of those that are BITS longer", `cidrsubnet("10.0.0.0/8", 8, 3)`, `"10.3.0.0/16"`},
	{"cidrlength", "cidrlength(NETWORK)", "the length of a prefix", `cidrlength("10.0.0.0/8")`, `8`},
	{"endpoint", "endpoint(ADDRESS, PORT)", "an address and a port, IPv6 in brackets", `endpoint("2001:db8::1", 80)`, `"[2001:db8::1]:80"`},
	{"format", "format(FORMAT, VALUE, ...)", "a text with values put in: %s text, %d number, %02d with zeros, %x hexadecimal", `format("web-%03d", 7)`, `"web-007"`},
	{"join", "join(SEPARATOR, LIST)", "one text of several", `join("-", ["a", "b"])`, `"a-b"`},
	{"split", "split(SEPARATOR, TEXT)", "several texts of one", `split(",", "a,b")`, `["a", "b"]`},
	{"replace", "replace(TEXT, OLD, NEW)", "a text with each OLD made NEW", `replace("a.b", ".", "-")`, `"a-b"`},
	{"lower", "lower(TEXT)", "in small letters", `lower("Web")`, `"web"`},
	{"upper", "upper(TEXT)", "in capital letters", `upper("web")`, `"WEB"`},
	{"trimprefix", "trimprefix(TEXT, PREFIX)", "without a beginning", `trimprefix("web-1", "web-")`, `"1"`},
	{"trimsuffix", "trimsuffix(TEXT, SUFFIX)", "without an end", `trimsuffix("a.example", ".example")`, `"a"`},
	{"range", "range(END), range(START, END), range(START, END, STEP)", "numbers up to but without END; 1024 at most", `range(1, 4)`, `[1, 2, 3]`},
	{"concat", "concat(LIST, ...)", "one list of several", `concat(["a"], ["b"])`, `["a", "b"]`},
	{"flatten", "flatten(LIST)", "a list without lists in it", `flatten([["a"], ["b", "c"]])`, `["a", "b", "c"]`},
	{"distinct", "distinct(LIST)", "each thing once", `distinct(["a", "b", "a"])`, `["a", "b"]`},
	{"sort", "sort(LIST)", "texts in order", `sort(["b", "a"])`, `["a", "b"]`},
	{"reverse", "reverse(LIST)", "in the other order", `reverse([1, 2])`, `[2, 1]`},
	{"slice", "slice(LIST, START, END)", "a part of a list, counted from 0, without END", `slice(["a", "b", "c"], 1, 3)`, `["b", "c"]`},
	{"element", "element(LIST, N)", "the element with number N, from 0; begins again after the last", `element(["a", "b"], 2)`, `"a"`},
	{"contains", "contains(LIST, VALUE)", "whether it is there", `contains(["a", "b"], "a")`, `true`},
	{"length", "length(LIST), length(MAP), length(TEXT)", "how many elements or characters", `length(["a", "b"])`, `2`},
	{"keys", "keys(MAP)", "the keys, in order", `keys({ b = 1, a = 2 })`, `["a", "b"]`},
	{"values", "values(MAP)", "the values, in the order of the keys", `values({ b = 1, a = 2 })`, `[2, 1]`},
	{"lookup", "lookup(MAP, KEY, DEFAULT)", "a key's value, or a default", `lookup({ a = 1 }, "b", 9)`, `9`},
	{"merge", "merge(MAP, ...)", "one map of several; the later wins", `merge({ a = 1 }, { a = 2, b = 3 })`, `{ a = 2, b = 3 }`},
	{"min", "min(NUMBER, ...)", "the least", `min(3, 1, 2)`, `1`},
	{"max", "max(NUMBER, ...)", "the greatest", `max(3, 1, 2)`, `3`},
	{"floor", "floor(NUMBER)", "without its fraction, downwards", `floor(7 / 2)`, `3`},
	{"ceil", "ceil(NUMBER)", "without its fraction, upwards", `ceil(7 / 2)`, `4`},
	{"tostring", "tostring(VALUE)", "a number or a boolean as text", `tostring(80)`, `"80"`},
	{"tonumber", "tonumber(TEXT)", "a text as number", `tonumber("80")`, `80`},
}

func (b *Bounds) makeFunctions() map[string]function.Function {
	return map[string]function.Function{
		"cidrhost": cidrHost, "cidrsubnet": cidrSubnet, "cidrlength": cidrLength, "endpoint": endpoint,
		"lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc, "trimprefix": stdlib.TrimPrefixFunc, "trimsuffix": stdlib.TrimSuffixFunc,
		"range": stdlib.RangeFunc, "concat": stdlib.ConcatFunc, "flatten": stdlib.FlattenFunc, "sort": stdlib.SortFunc,
		"reverse": stdlib.ReverseListFunc, "slice": stdlib.SliceFunc, "element": stdlib.ElementFunc, "contains": stdlib.ContainsFunc,
		"keys": stdlib.KeysFunc, "values": stdlib.ValuesFunc, "lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc,
		"min": stdlib.MinFunc, "max": stdlib.MaxFunc, "floor": stdlib.FloorFunc, "ceil": stdlib.CeilFunc,
		"tostring": conversion(cty.String), "tonumber": conversion(cty.Number), "length": lengthFunc,
		"format":   b.priced(stdlib.FormatFunc, formatCost),
		"join":     b.priced(stdlib.JoinFunc, joinCost),
		"split":    b.priced(stdlib.SplitFunc, splitCost),
		"replace":  b.priced(stdlib.ReplaceFunc, replaceCost),
		"distinct": b.priced(stdlib.DistinctFunc, distinctCost),
	}
}

// priced is a function that can cost more than the size of its arguments.
func (b *Bounds) priced(f function.Function, cost func(args []cty.Value) (int, error)) function.Function {
	return function.New(&function.Spec{
		Params:   f.Params(),
		VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			n, err := cost(args)
			if err == nil {
				err = b.Spend(n)
			}
			if err != nil {
				return cty.NilVal, err
			}
			return f.Call(args)
		},
	})
}

// maxWidth is the widest field of a format.
const maxWidth = 999

var tooWide = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`%[^a-zA-Z%]*[0-9]{4}`)
})

func formatCost(args []cty.Value) (int, error) {
	s := args[0].AsString()
	if tooWide().MatchString(s) {
		return 0, function.NewArgErrorf(0, "a field is %d characters wide at most", maxWidth)
	}
	if strings.Contains(s, "%[") { // one argument many times: what comes of it has no bound
		return 0, function.NewArgErrorf(0, "arguments are taken in their order: no %%[N]")
	}
	return strings.Count(s, "%") * maxWidth / 8, nil
}

func joinCost(args []cty.Value) (int, error) {
	n := 0
	for _, list := range args[1:] {
		n += list.LengthInt()
	}
	return limited(n * len(args[0].AsString()))
}

func splitCost(args []cty.Value) (int, error) {
	return 2 * strings.Count(args[1].AsString(), args[0].AsString()), nil
}

func replaceCost(args []cty.Value) (int, error) {
	return limited(strings.Count(args[0].AsString(), args[1].AsString()) * len(args[2].AsString()))
}

// limited is the cost of a text of n bytes.
func limited(n int) (int, error) {
	if n > maxText {
		return 0, fmt.Errorf("a text has %d bytes; the limit is %d", n, maxText)
	}
	return n / 8, nil
}

func distinctCost(args []cty.Value) (int, error) {
	n := args[0].LengthInt()
	return n * n / 2, nil
}

// conversion is a function that makes a simple value another.
func conversion(to cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(to),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v := args[0]
			if !v.Type().IsPrimitiveType() || v.Type() == cty.String && len(v.AsString()) > maxNumber && to == cty.Number {
				return cty.NilVal, function.NewArgErrorf(0, "a single value is needed")
			}
			return convert.Convert(v, to)
		},
	})
}

// lengthFunc counts elements or characters.
var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v, t := args[0], args[0].Type()
		switch {
		case t == cty.String:
			return stdlib.Strlen(v)
		case t.IsObjectType():
			return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
		case t.IsTupleType() || t.IsCollectionType():
			return cty.NumberIntVal(int64(v.LengthInt())), nil
		}
		return cty.NilVal, function.NewArgErrorf(0, "a list, a map or a text is needed")
	},
})
