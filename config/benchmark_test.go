package config

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/quorate/quorate/fsm"
)

// repeated is the file of a cluster of so many services of so many servers each, nothing in it said twice.
const repeated = `locals {
  nets    = [for n in range(1000) : cidrsubnet("10.0.0.0/8", 16, n)]
  servers = range(1, %[2]d + 1)
}

router "outside" {
  vrid      = 51
  interface = "wan"
  addresses = ["192.168.1.1/24"]
  excluded  = ["10.255.255.1/8"]
}

service "s" {
  for_each  = flatten([for n in range(ceil(%[1]d / 1000)) : [for m in range(min(1000, %[1]d)) : 1000 * n + m]])
  address   = "192.168.1.1:${1000 + each.value}"
  scheduler = "wlc"

  check "http" {
    path = "/health"
  }

  server "pool" {
    for_each = local.servers
    address  = "${cidrhost(local.nets[service.value %% 1000], each.value)}:${80 + floor(service.value / 1000)}"
    weight   = 1
  }
}
`

// large is a configuration of so many services of so many servers each.
func large(services, servers int) fsm.Config {
	c := fsm.Config{Routers: map[string]fsm.Router{"outside": webConfig().Routers["outside"]}}
	r := c.Routers["outside"]
	r.Excluded = []netip.Prefix{netip.MustParsePrefix("10.255.255.1/8")}
	c.Routers["outside"] = r
	for i := range services {
		s := webConfig().Services.Of("web")
		s.Name, s.Address = fmt.Sprintf("s-%d", i), netip.AddrPortFrom(s.Address.Addr(), uint16(1000+i))
		s.Fallback, s.Servers = nil, nil
		for k := range servers {
			a := netip.AddrFrom4([4]byte{10, byte(i % 1000 / 256), byte(i % 1000 % 256), byte(k + 1)})
			s.Servers = append(s.Servers, fsm.Server{Address: netip.AddrPortFrom(a, uint16(80+i/1000)), Weight: 1})
		}
		c.Services = c.Services.With(s.Name, s)
	}
	return c
}

func TestALargeFileIsTheSameAsCopiesAndWithForEach(t *testing.T) {
	c := large(40, 5)
	copies, problems := ParseCluster("c.hcl", Format(c))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	src := fmt.Appendf(nil, repeated, 40, 5)
	short, problems := ParseCluster("c.hcl", src)
	if len(problems) > 0 || len(Diff(copies, short)) > 0 {
		t.Errorf("%v\n%s", problems, Render(Diff(copies, short)))
	}
}

// BenchmarkParse2000x50 parses and validates 2,000 services of 50 servers each: as copies, as the same in
// JSON, and with for_each.
func BenchmarkParse2000x50(b *testing.B) {
	c := large(2000, 50)
	for _, file := range []File{
		{"copies.hcl", Format(c)},
		{"copies.json", FormatJSON(c)},
		{"for_each.hcl", fmt.Appendf(nil, repeated, 2000, 50)},
	} {
		b.Run(file.Name, func(b *testing.B) {
			b.ReportAllocs()
			b.ReportMetric(float64(len(file.Src)), "bytes")
			for b.Loop() {
				got, problems := ParseCluster(file.Name, file.Src)
				if problems.Err() != nil || got.Services.Len() != 2000 || len(got.Services.Of("s-1999").Servers) != 50 {
					b.Fatalf("%d services: %v", got.Services.Len(), problems[:min(len(problems), 5)])
				}
			}
		})
	}
}

// BenchmarkChange2000x50 is what one changed weight among 2,000 services of 50 servers costs the agent that is
// asked: by a file, which is compared whole, and by an edit.
func BenchmarkChange2000x50(b *testing.B) {
	before, after := large(2000, 50), large(2000, 50)
	after.Services.Of("s-7").Servers[3].Weight = 9
	b.Run("validate", func(b *testing.B) {
		for b.Loop() {
			if err := Validate(WithDefaults(after)).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("plan", func(b *testing.B) {
		for b.Loop() {
			if n := len(Diff(before, after)); n != 1 {
				b.Fatalf("%d changes", n)
			}
		}
	})
	b.Run("delta", func(b *testing.B) {
		for b.Loop() {
			if n := len(Delta(before, after).Services); n != 1 {
				b.Fatalf("%d services", n)
			}
		}
	})
	b.Run("edit", func(b *testing.B) {
		e := Edit{Verb: Modify, Kind: KindServer, In: "s-7", Name: "10.0.7.4:80", Keys: map[string]string{"weight": "9"}}
		for b.Loop() {
			d, err := Edited(before, []Edit{e})
			if err != nil || len(d.Services) != 1 {
				b.Fatalf("%d services, %v", len(d.Services), err)
			}
		}
	})
}
