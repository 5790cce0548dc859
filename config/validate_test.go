package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func TestAModelWithoutAFileGetsPathsInsteadOfLines(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(r *fsm.Router, s *fsm.Service)
		want   string
	}{
		{"nothing is wrong", func(*fsm.Router, *fsm.Service) {}, ""},
		{"a number", func(r *fsm.Router, _ *fsm.Service) { r.VRID = 0 },
			`routers["outside"].vrid: error: router "outside": vrid is 0; it must be 1 to 255`},
		{"an address that clashes with another place", func(r *fsm.Router, _ *fsm.Service) {
			r.Addresses = append(r.Addresses, netip.MustParsePrefix("192.168.2.1/24"))
		}, `routers["outside"].addresses[1]: error: router "outside": 192.168.2.1 is there twice (the other is addresses of router "inside")`},
		{"an address that is none", func(r *fsm.Router, _ *fsm.Service) { r.Addresses[0] = netip.Prefix{} },
			`routers["outside"].addresses[0]: error: router "outside": has an address that is none (write it as in 192.168.1.1/24)` + "\n" +
				`services["web"].address: warning: service "web": no router holds 192.168.1.1 (add it to a router's addresses, unless it comes to the directors in another way)`},
		{"a broadcast address", func(r *fsm.Router, _ *fsm.Service) {
			r.Addresses = append(r.Addresses, netip.MustParsePrefix("10.1.2.255/23"), netip.MustParsePrefix("10.1.3.255/23"), netip.MustParsePrefix("10.1.4.0/31"))
		}, `routers["outside"].addresses[2]: error: router "outside": 10.1.3.255/23 is the network's broadcast address`},
		{"a name inside that is not the key", func(r *fsm.Router, _ *fsm.Service) { r.Name = "other" },
			`routers["outside"].name: error: router "outside": is called "other" inside`},
		{"a server's weight", func(_ *fsm.Router, s *fsm.Service) { s.Servers[1].Weight = 1 << 20 },
			`services["web"].servers[1].weight: error: service "web", server 192.168.2.12:80: weight is 1048576; it must be 0 to 65535`},
		{"a key that the kind of check does not have", func(_ *fsm.Router, s *fsm.Service) {
			s.Checks[0] = fsm.Check{Kind: fsm.CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1, Path: "/"}
		}, `services["web"].checks[0].path: error: service "web", check "tcp": path means nothing to it (known here: interval, timeout, rise, fall, port)`},
		{"text that no file can hold", func(_ *fsm.Router, s *fsm.Service) { s.Checks[0].Body = "e\u0301" },
			`services["web"].checks[0].body: error: service "web", check "http": body is not in Unicode normal form C (a cluster file cannot hold the decomposed form)`},
		{"the family of an address", func(_ *fsm.Router, s *fsm.Service) { s.IPv6 = true },
			`services["web"].ipv6: error: service "web": ipv6 is for services by mark (the address says the family)`},
		{"a fallback that is a server too is a warning", func(_ *fsm.Router, s *fsm.Service) { s.Fallback.Address = s.Servers[0].Address },
			`services["web"].fallback.address: warning: service "web", fallback 192.168.2.11:80: is one of the servers too`},
		{"a private key among the authorities", func(_ *fsm.Router, s *fsm.Service) {
			s.Checks[0].Kind, s.Checks[0].Port, s.Checks[0].CA = fsm.CheckHTTPS, 443, testCA+"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
		}, `services["web"].checks[0].ca: error: service "web", check "https": ca has a PRIVATE KEY in it (only certificates belong there)`},
		{"persistence in parts of a second", func(_ *fsm.Router, s *fsm.Service) { s.Persistence = 1500 * time.Millisecond },
			`services["web"].persistence: error: service "web": persistence is 1.5s; it goes in steps of 1s (write "2s")`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := webConfig()
			r, s := c.Routers["outside"], c.Services.Of("web")
			tt.change(&r, &s)
			c.Routers["outside"], c.Services = r, c.Services.With("web", s)
			if diff := cmp.Diff(tt.want, strings.TrimSuffix(Validate(c).String(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyErrorsAreAnError(t *testing.T) {
	warning, wrong := Problem{Warning: true, Text: "odd"}, Problem{Text: "bad"}
	if err := (Problems{warning}).Err(); err != nil {
		t.Errorf("a warning is an error: %v", err)
	}
	err := fmt.Errorf("read: %w", Problems{warning, wrong}.Err())
	var invalid *InvalidError
	if !errors.As(err, &invalid) || !cmp.Equal(invalid.Problems, Problems{wrong}) || err.Error() != "read: error: bad" {
		t.Errorf("got %v", err)
	}
	if got := (Problems{warning, wrong}).Warnings(); !cmp.Equal(got, Problems{warning}) {
		t.Errorf("warnings: %v", got)
	}
}

func TestANameIsFoundByItsNearest(t *testing.T) {
	known := []string{"scheduler", "address", "addresses", "rr", "wlc", "fall"}
	for name, want := range map[string]string{
		"schedular": "scheduler", "Scheduler": "scheduler", "adress": "address", "adresses": "addresses",
		"wcl": "wlc", "cheese": "", "x": "", "": "", "fail": "fall",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
