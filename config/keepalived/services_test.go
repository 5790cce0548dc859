package keepalived

import (
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// TestLinesOfAGroup goes by what keepalived 2.2.7 takes.
func TestLinesOfAGroup(t *testing.T) {
	for line, want := range map[string]string{
		"192.168.1.40":                "192.168.1.40",
		"192.168.1.40-42":             "192.168.1.40 192.168.1.41 192.168.1.42",
		"192.168.1.40-192.168.1.42":   "192.168.1.40 192.168.1.41 192.168.1.42",
		"192.168.1.254-192.168.2.1":   "192.168.1.254 192.168.1.255 192.168.2.0 192.168.2.1",
		"192.168.1.40-192.168.1.40":   "192.168.1.40",
		"192.168.1.40-40":             "",
		"192.168.1.40-192.168.1.39":   "",
		"192.168.1.40-2001:db8::1":    "",
		"2001:db8::10-2001:db8::11":   "2001:db8::10 2001:db8::11",
		"2001:db8::10-11":             "2001:db8::10 2001:db8::11",
		"192.168.1.40/31":             "192.168.1.40 192.168.1.41",
		"192.168.1.41/31":             "",
		"192.168.1.1-192.168.255.255": "",
	} {
		all, ok := entries(&Statement{Word: line, Args: []string{"80"}})
		var got []string
		for _, one := range all {
			got = append(got, one.address.Addr().String())
		}
		if strings.Join(got, " ") != want || ok != (want != "") {
			t.Errorf("%s: %q, %v, want %q", line, got, ok, want)
		}
	}
}

func TestTwoPortsOfAServerAreNotSaidToBeLeftOutByKeepalived(t *testing.T) {
	for name, c := range map[string]struct{ service, first, second, want string }{
		"mark":        {"fwmark 5", "10.0.0.1 8080", "10.0.0.1 8081", "10.0.0.1:8081: two ports of one server are one here"},
		"every port":  {"192.0.2.1 0", "10.0.0.1 8080", "10.0.0.1 8081", "10.0.0.1:8081: two ports of one server are one here"},
		"direct":      {"192.0.2.1 80", "10.0.0.1 80", "10.0.0.1 81", "10.0.0.1:81: two ports of one server are one here"},
		"said twice":  {"192.0.2.1 80", "10.0.0.1 80", "10.0.0.1 80", "10.0.0.1:80 is there twice; keepalived leaves it out too"},
		"mark, twice": {"fwmark 5", "10.0.0.1 8080", "10.0.0.1 8080", "10.0.0.1:8080 is there twice; keepalived leaves it out too"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "virtual_server " + c.service + " {\n protocol TCP\n lvs_method DR\n real_server " + c.first + " {\n }\n real_server " + c.second + " {\n }\n}\n"
			got, err := Import(files(map[string]string{"k": text}), []Input{{"k", "k"}})
			if err != nil {
				t.Fatal(err)
			}
			said := report(got)
			if !strings.Contains(said, "k:6: not carried over: real_server: "+c.want+"\n") {
				t.Errorf("%q is not said:\n%s", c.want, said)
			}
		})
	}
}

// one imports a file of one service, whose first server has the lines of real.
func one(t *testing.T, service, lines, real string) (Result, string) {
	t.Helper()
	text := "virtual_server " + service + " {\n " + lines + "\n real_server 10.0.0.1 " + real + "\n}\n"
	got, err := Import(files(map[string]string{"k": text}), []Input{{"k", "k"}})
	if err != nil {
		t.Fatal(err)
	}
	return got, report(got)
}

// TestAServerIsAskedAtItsOwnPort is of servers that are forwarded to by address: in the table they have the service's port.
func TestAServerIsAskedAtItsOwnPort(t *testing.T) {
	for name, c := range map[string]struct {
		service, lines, real string
		table, asked         uint16
	}{
		"direct":              {"192.0.2.1 80", "protocol TCP\n lvs_method DR", "8080 {\n TCP_CHECK {\n }\n }", 80, 8080},
		"direct, port said":   {"192.0.2.1 80", "protocol TCP\n lvs_method DR", "8080 {\n TCP_CHECK {\n connect_port 81\n }\n }", 80, 81},
		"direct, table's":     {"192.0.2.1 80", "protocol TCP\n lvs_method DR", "80 {\n TCP_CHECK {\n }\n }", 80, 0},
		"NAT":                 {"192.0.2.1 80", "protocol TCP\n lvs_method NAT", "8080 {\n TCP_CHECK {\n }\n }", 8080, 0},
		"NAT, without a port": {"192.0.2.1 80", "protocol TCP\n lvs_method NAT", "{\n TCP_CHECK {\n }\n }", 80, 0},
		"mark":                {"fwmark 5", "lvs_method DR", "8080 {\n TCP_CHECK {\n }\n }", 0, 8080},
	} {
		t.Run(name, func(t *testing.T) {
			got, said := one(t, c.service, c.lines, c.real)
			for _, s := range got.Config.Services.All() {
				if len(s.Checks) != 1 || s.Servers[0].Address.Port() != c.table || s.Checks[0].Port != c.asked {
					t.Errorf("server %s, checks %+v, want port %d, and %d in the check\n%s", s.Servers[0].Address, s.Checks, c.table, c.asked, said)
				}
			}
			if got.Config.Services.Len() != 1 {
				t.Errorf("%d services", got.Config.Services.Len())
			}
		})
	}
}

func TestWhereAServiceIsUnlikeKeepalivedsTheReportSaysIt(t *testing.T) {
	const tcp = "protocol TCP"
	for name, c := range map[string]struct{ service, lines, real, want string }{
		"mail":               {"192.0.2.1 25", tcp, "25 {\n SMTP_CHECK {\n }\n }", "k:4: carried over with a difference: real_server SMTP_CHECK: `check \"smtp\"`: replies of several lines are well, of which keepalived fails each, and QUIT must be answered with 221, where it takes any answer"},
		"program":            {"192.0.2.1 25", tcp, "25 {\n MISC_CHECK {\n misc_path /bin/x\n }\n }", "k:4: carried over with a difference: real_server MISC_CHECK: `check \"script\"`: a program that cannot be run fails, where keepalived has the server up"},
		"name in TLS":        {"192.0.2.1 443", tcp + "\n virtualhost a.example.com", "443 {\n SSL_GET {\n url {\n path /\n }\n }\n }", "k:5: carried over with a difference: SSL_GET enable_sni: it does not say it, and `host` is the TLS server name too"},
		"protocol of a mark": {"fwmark 5", tcp, "{\n }", "k:2: carried over: virtual_server protocol: nothing: a mark is of all protocols, as in keepalived"},
		"a length for a mask": {"192.0.2.1 80", tcp + "\n persistence_granularity 24", "80 {\n }",
			"k:3: not carried over: virtual_server persistence_granularity: 24 is no mask of a prefix"},
		"a page without a path": {"192.0.2.1 80", tcp, "80 {\n HTTP_GET {\n url {\n status_code 200\n }\n }\n }",
			"k:5: not carried over: HTTP_GET url: it has no path, and keepalived leaves it out too"},
		"steps of a page": {"192.0.2.1 80", tcp, "80 {\n HTTP_GET {\n url {\n path /\n }\n }\n }",
			"k:4: carried over with a difference: HTTP_GET connect_timeout: `timeout` is that of the whole probe; keepalived waits as long for each of its steps"},
		"steps of a dialogue": {"192.0.2.1 25", tcp, "25 {\n SMTP_CHECK {\n }\n }",
			"k:4: carried over with a difference: SMTP_CHECK connect_timeout: `timeout` is that of the whole probe; keepalived waits as long for each of its steps"},
		"tries": {"192.0.2.1 80", tcp, "80 {\n TCP_CHECK {\n retry 200\n }\n }",
			"k:4: carried over with a difference: TCP_CHECK retry: `fall` is 100, the most that there is, and not 201"},
		"days": {"192.0.2.1 80", tcp, "80 {\n TCP_CHECK {\n delay_loop 100000\n }\n }",
			"k:4: carried over with a difference: TCP_CHECK delay_loop: `interval` is 24h0m0s, and not 27h46m40s: 50 ms to 24 h"},
		"a check without port": {"192.0.2.1 80", tcp + "\n lvs_method NAT", "{\n TCP_CHECK {\n }\n }",
			"k:5: carried over with a difference: real_server TCP_CHECK: it asks the service's port; keepalived asks port 0 of a server without one, and never finds it up"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, said := one(t, c.service, c.lines, c.real); !strings.Contains(said, c.want+"\n") {
				t.Errorf("%q is not said:\n%s", c.want, said)
			}
		})
	}
}

func TestAServiceHasNoWeightOfZero(t *testing.T) {
	got, said := one(t, "192.0.2.1 80", "protocol TCP\n weight 0", "80 {\n }")
	if w := got.Config.Services.Of("http").Servers[0].Weight; w != 1 || !strings.Contains(said, "k:3: not carried over: virtual_server weight: ") {
		t.Errorf("weight %d, want 1\n%s", w, said)
	}
}

// TestABadValueLeavesTheGoodOne is of values that keepalived does not take: what was said before counts, and is said to.
func TestABadValueLeavesTheGoodOne(t *testing.T) {
	tcp := func(words string) string { return "TCP_CHECK {\n" + words + "\n }" }
	misc := func(words string) string { return "MISC_CHECK {\n misc_path /bin/x\n" + words + "\n }" }
	for name, c := range map[string]struct {
		check string
		want  fsm.Check // what is not zero in it
		line  int       // of the bad value
		word  string
	}{
		"an interval":            {tcp(" delay_loop 5\n delay_loop x"), fsm.Check{Interval: 5 * time.Second}, 6, "TCP_CHECK delay_loop"},
		"an interval, alone":     {tcp(" delay_loop x"), fsm.Check{Interval: time.Minute}, 5, "TCP_CHECK delay_loop"},
		"a timeout":              {tcp(" connect_timeout 3\n connect_timeout x"), fsm.Check{Timeout: 3 * time.Second}, 6, "TCP_CHECK connect_timeout"},
		"tries":                  {tcp(" retry 4\n retry x"), fsm.Check{Fall: 5}, 6, "TCP_CHECK retry"},
		"a port":                 {tcp(" connect_port 81\n connect_port x"), fsm.Check{Port: 81}, 6, "TCP_CHECK connect_port"},
		"a port of a host":       {"SMTP_CHECK {\n host {\n connect_port 26\n connect_port x\n }\n }", fsm.Check{Port: 26}, 7, "host connect_port"},
		"a timeout of a program": {misc(" misc_timeout 3\n misc_timeout x"), fsm.Check{Timeout: 3 * time.Second}, 7, "MISC_CHECK misc_timeout"},
		"a flag":                 {tcp(" alpha x"), fsm.Check{}, 5, "TCP_CHECK alpha"},
	} {
		t.Run(name, func(t *testing.T) {
			got, said := one(t, "192.0.2.1 80", "protocol TCP", "80 {\n "+c.check+"\n }")
			holds(t, got)
			checks := got.Config.Services.Of("http").Checks
			if len(checks) != 1 {
				t.Fatalf("%+v", checks)
			}
			is, want := checks[0], c.want
			if want.Interval != 0 && is.Interval != want.Interval || want.Timeout != 0 && is.Timeout != want.Timeout || want.Fall != 0 && is.Fall != want.Fall || want.Port != 0 && is.Port != want.Port {
				t.Errorf("%+v, want %+v\n%s", is, want, said)
			}
			for _, n := range got.Notes {
				switch at := (Place{File: "k", Line: c.line}); {
				case n.Said(at) && (n.Keyword != c.word || n.Fate != Dropped):
					t.Errorf("of the bad value it says %s", n)
				case c.line > 5 && n.Said(Place{File: "k", Line: c.line - 1}) && (n.Fate != Carried || strings.HasPrefix(n.Text, "nothing")):
					t.Errorf("of the good value it says %s", n)
				}
			}
		})
	}
}
