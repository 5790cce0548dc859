package expr

import (
	"fmt"
	"math/big"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

var (
	networkParam = function.Parameter{Name: "network", Type: cty.String}
	numberParam  = function.Parameter{Name: "n", Type: cty.Number}
)

var cidrHost = function.New(&function.Spec{
	Params: []function.Parameter{networkParam, numberParam},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := network(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		n, err := whole(args[1], 1)
		if err != nil {
			return cty.NilVal, err
		}
		free := p.Addr().BitLen() - p.Bits()
		count := new(big.Int).Lsh(big.NewInt(1), uint(free))
		if n.Sign() < 0 {
			n.Add(n, count)
		}
		if n.Sign() < 0 || n.Cmp(count) >= 0 {
			return cty.NilVal, function.NewArgErrorf(1, "%s has %s addresses, from 0", p, count)
		}
		return cty.StringVal(add(p.Addr(), n).String()), nil
	},
})

var cidrSubnet = function.New(&function.Spec{
	Params: []function.Parameter{networkParam, {Name: "bits", Type: cty.Number}, numberParam},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := network(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		more, err := whole(args[1], 1)
		if err != nil {
			return cty.NilVal, err
		}
		n, err := whole(args[2], 2)
		if err != nil {
			return cty.NilVal, err
		}
		free := p.Addr().BitLen() - p.Bits()
		if !more.IsInt64() || more.Sign() < 0 || more.Int64() > int64(free) {
			return cty.NilVal, function.NewArgErrorf(1, "%s can be %d bits longer", p, free)
		}
		bits := int(more.Int64())
		count := new(big.Int).Lsh(big.NewInt(1), uint(bits))
		if n.Sign() < 0 || n.Cmp(count) >= 0 {
			return cty.NilVal, function.NewArgErrorf(2, "there are %s such networks, from 0", count)
		}
		n.Lsh(n, uint(free-bits))
		return cty.StringVal(netip.PrefixFrom(add(p.Addr(), n), p.Bits()+bits).String()), nil
	},
})

var cidrLength = function.New(&function.Spec{
	Params: []function.Parameter{networkParam},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := network(args[0])
		return cty.NumberIntVal(int64(p.Bits())), err
	},
})

var endpoint = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "address", Type: cty.String}, {Name: "port", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		a, err := netip.ParseAddr(args[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "%q is not an address", clip(args[0].AsString()))
		}
		port, err := whole(args[1], 1)
		if err != nil || !port.IsInt64() || port.Int64() < 1 || port.Int64() > 65535 {
			return cty.NilVal, function.NewArgErrorf(1, "a port is 1 to 65535")
		}
		return cty.StringVal(netip.AddrPortFrom(a, uint16(port.Int64())).String()), nil
	},
})

// network reads a network; an address in it stands for it.
func network(v cty.Value) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(v.AsString())
	if err != nil {
		return p, function.NewArgErrorf(0, "%q is not a network, as in 192.168.2.0/24", clip(v.AsString()))
	}
	return p.Masked(), nil
}

// whole reads a whole number.
func whole(v cty.Value, arg int) (*big.Int, error) {
	f := v.AsBigFloat()
	if !f.IsInt() || f.MantExp(nil) > 129 {
		return nil, function.NewArgErrorf(arg, "a whole number is needed")
	}
	n, _ := f.Int(nil)
	return n, nil
}

// add returns the address that is n after a; it must be one.
func add(a netip.Addr, n *big.Int) netip.Addr {
	sum := new(big.Int).SetBytes(a.AsSlice())
	sum.Add(sum, n)
	b := make([]byte, a.BitLen()/8)
	next, _ := netip.AddrFromSlice(sum.FillBytes(b))
	return next
}

// clip shortens what is cited in an error.
func clip(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%.60s...", s)
	}
	return s
}
