package keepalived

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/fsm"
)

// served imports a service whose servers have these checks, one after the other; forward is its lvs_method.
func served(t *testing.T, forward string, checks ...string) (fsm.Service, string) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "virtual_server 192.0.2.1 80 {\nprotocol TCP\nalpha\nlvs_method %s\ndelay_loop 6\n", forward)
	for i, check := range checks {
		fmt.Fprintf(&text, "real_server 10.0.0.%d 80 {\n%s\n}\n", i+1, check)
	}
	got, err := Import(files(map[string]string{"k": text.String() + "}\n"}), []Input{{"k", "k"}})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, got)
	return got.Config.Services.Of("http"), report(got)
}

const (
	tcp    = "TCP_CHECK {\n}"
	script = "MISC_CHECK {\nmisc_path /x\nuser u\n}"
)

func fetch(path, port string) string {
	return "HTTP_GET {\nurl {\npath " + path + "\n}\nconnect_port " + port + "\n}"
}

func TestOfUnlikeChecksThoseCountThatTheMostServersPass(t *testing.T) {
	for name, c := range map[string]struct {
		forward string
		checks  []string
		want    string
	}{
		"most have it":                           {"NAT", []string{fetch("/a", "80"), fetch("/b", "80"), fetch("/b", "80")}, "http 80 /b"},
		"most answer it":                         {"NAT", []string{fetch("/a", "80") + "\n" + tcp, tcp, fetch("/b", "80")}, "tcp 0"},
		"a connection is a part of a page":       {"NAT", []string{fetch("/a", "80"), tcp}, "tcp 0"},
		"not on another port":                    {"NAT", []string{fetch("/a", "81"), fetch("/a", "81"), tcp}, "http 81 /a"},
		"none is most servers'":                  {"NAT", []string{fetch("/a", "81"), fetch("/b", "82"), script}, "tcp 0"},
		"none, and nobody says that it connects": {"DR", []string{fetch("/a", "81"), fetch("/b", "82"), script}, "http 81 /a"},
		"none, and all connect":                  {"DR", []string{fetch("/a", "80"), fetch("/b", "80")}, "tcp 0"},
		"one has none":                           {"NAT", []string{"", fetch("/b", "81")}, "http 81 /b"},
	} {
		t.Run(name, func(t *testing.T) {
			s, said := served(t, c.forward, c.checks...)
			var all []string
			for _, one := range s.Checks {
				port := one.Port
				if one.Kind != fsm.CheckTCP && port == 0 {
					port = 80
				}
				all = append(all, strings.TrimSpace(fmt.Sprintf("%s %d %s", one.Kind, port, one.Path)))
			}
			if got := strings.Join(all, ", "); got != c.want || len(s.Servers) != len(c.checks) {
				t.Errorf("%s of %d servers, want %s\n%s", got, len(s.Servers), c.want, said)
			}
		})
	}
}

func TestOfChecksThatAreUnlikeInTimeAloneTheMorePatientOneCounts(t *testing.T) {
	const two, three = "TCP_CHECK {\nconnect_timeout 2\n}", "TCP_CHECK {\nconnect_timeout 3\n}"
	for _, checks := range [][]string{{two, three}, {three, two}} {
		s, said := served(t, "NAT", checks...)
		if len(s.Checks) != 1 || s.Checks[0].Timeout != 3*time.Second {
			t.Errorf("%+v\n%s", s.Checks, said)
		}
	}
}

func TestChecksThatDoNotHoldAreNotCarriedOver(t *testing.T) {
	s, said := served(t, "NAT", fetch("/a", "81"), fetch("/a", "81"), "HTTP_GET {\nurl {\npath /a\n}\nurl {\npath /b\n}\nconnect_port 81\nconnect_timeout 2\nretry 4\n}\n"+script)
	if len(s.Checks) != 1 || s.Checks[0].Path != "/a" {
		t.Errorf("%+v", s.Checks)
	}
	const why = "it is unlike those of other servers; a service has one set of checks, that of 10.0.0.1:80"
	for _, want := range []string{
		"k:27: not carried over: HTTP_GET url: " + why,
		"k:28: not carried over: url path: it goes with the block that it is in",
		"k:31: not carried over: HTTP_GET connect_timeout: a service has one set of checks, with a `timeout` of 5s",
		"k:32: not carried over: HTTP_GET retry: a service has one set of checks, with `fall = 2`",
		"k:34: not carried over: real_server MISC_CHECK: " + why,
		"k:35: not carried over: MISC_CHECK misc_path: it goes with the block that it is in",
		"k:36: not carried over: MISC_CHECK user: it goes with the block that it is in",
		"k:7: carried over: real_server HTTP_GET: `check \"http\"` (also 15, 23)",
		"k:9: carried over: url path: `path` (also 17, 25)",
	} {
		if !strings.Contains(said, want+"\n") {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
}

func TestAServersOwnChecksAreNotCarriedOverWhereAConnectionStandsForThem(t *testing.T) {
	s, said := served(t, "NAT", fetch("/a", "81"), fetch("/b", "82")+"\nconnect_timeout 3")
	if len(s.Checks) != 1 || s.Checks[0].Interval != 6*time.Second {
		t.Errorf("%+v", s.Checks)
	}
	for _, want := range []string{
		"k:7: not carried over: real_server HTTP_GET: the checks of the servers are unlike; a service has one set of checks, and each server is asked for a connection (also 15)",
		"k:5: carried over: virtual_server delay_loop: `interval` of checks",
	} {
		if !strings.Contains(said, want+"\n") {
			t.Errorf("%q is not said:\n%s", want, said)
		}
	}
	if strings.Contains(said, "HTTP_GET retry") {
		t.Errorf("a check that does not hold is said to be slow:\n%s", said)
	}
}

func TestOfAScriptOnlyWhatDiffersByServerIsWhatACheckIsTold(t *testing.T) {
	script := func(at, port string) string {
		return "real_server " + at + " " + port + " {\nMISC_CHECK {\nmisc_path \"/x -t 80 "
	}
	for name, c := range map[string]struct{ first, second, want string }{
		"the address": {script("10.0.0.1", "80") + "10.0.0.1 -w 80", script("10.0.0.2", "81") + "10.0.0.2 -w 80", `exec /x -t 80 "$QUORATE_SERVER_ADDRESS" -w 80`},
		"the port":    {script("10.0.0.1", "80") + "10.0.0.1 80 -w 80", script("10.0.0.2", "81") + "10.0.0.2 81 -w 80", `exec /x -t 80 "$QUORATE_SERVER_ADDRESS" "$QUORATE_SERVER_PORT" -w 80`},
		"nothing":     {script("10.0.0.1", "80") + "a", script("10.0.0.2", "81") + "a", "/x -t 80 a"},
	} {
		t.Run(name, func(t *testing.T) {
			text := "virtual_server 192.0.2.1 80 {\nprotocol TCP\n" + c.first + "\"\n}\n}\n" + c.second + "\"\n}\n}\n}\n"
			got, err := Import(files(map[string]string{"k": text}), []Input{{"k", "k"}})
			if err != nil {
				t.Fatal(err)
			}
			s := got.Config.Services.Of("http")
			if len(s.Checks) != 1 || !strings.HasSuffix(strings.Join(s.Checks[0].Command, " "), c.want) {
				t.Errorf("%+v, want %s\n%s", s.Checks, c.want, report(got))
			}
		})
	}
}

func TestWhatIsInNoServiceIsNotCarriedOver(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a group that nobody serves": {"virtual_server_group G {\n192.0.2.1 80\nfwmark 3\n}\n",
			"k:1: not carried over: virtual_server_group: no virtual_server is of it, and keepalived serves nothing there either\n" +
				"k:2: not carried over: virtual_server_group: 192.0.2.1 80: it goes with the block that it is in\n" +
				"k:3: not carried over: virtual_server_group fwmark: it goes with the block that it is in\n"},
		"lines without servers of their family": {"virtual_server_group G {\n192.0.2.1 80\nfwmark 3 inet6\n2001:db8::1 80\n}\nvirtual_server group G {\nprotocol TCP\nreal_server 10.0.0.1 80 {\n}\n}\n",
			"k:3: not carried over: virtual_server_group fwmark: no real server of virtual_server group G is of its address family; connections of such servers cannot be synchronised\n" +
				"k:4: not carried over: virtual_server_group: 2001:db8::1 80: no real server of virtual_server group G is of its address family; connections of such servers cannot be synchronised\n"},
		"an address that another has": {"virtual_server 192.0.2.1 80 {\nprotocol TCP\nreal_server 10.0.0.1 80 {\n}\n}\nvirtual_server 192.0.2.1 80 {\nprotocol TCP\nreal_server 10.0.0.2 80 {\n}\n}\n",
			"k:6: not carried over: virtual_server: tcp 192.0.2.1:80 is another virtual_server's\n" +
				"k:7: not carried over: virtual_server protocol: it goes with the block that it is in\n" +
				"k:8: not carried over: virtual_server real_server: it goes with the block that it is in\n"},
		"an address that is no host's": {"virtual_server 224.0.0.5 80 {\nprotocol TCP\nreal_server 10.0.0.1 80 {\n}\n}\n",
			"k:1: not carried over: service: service \"http\": 224.0.0.5 is not one host's address\n" +
				"k:2: not carried over: virtual_server protocol: it goes with the block that it is in\n" +
				"k:3: not carried over: virtual_server real_server: it goes with the block that it is in\n"},
		"a page that cannot be": {"virtual_server 192.0.2.1 80 {\nprotocol TCP\nalpha\nreal_server 10.0.0.1 80 {\nHTTP_GET {\nurl {\npath /a\n}\nurl {\npath \"/b c\"\nregex up\n}\n}\n}\n}\n",
			"k:9: not carried over: HTTP_GET url: service \"http\", check \"http\": path \"/b c\" has a space or a character beyond ASCII in it\n" +
				"k:10: not carried over: url path: it goes with the block that it is in\n" +
				"k:11: not carried over: url regex: it goes with the block that it is in\n"},
		"a text that must not be there": {"virtual_server 192.0.2.1 80 {\nprotocol TCP\nalpha\nreal_server 10.0.0.1 80 {\nHTTP_GET {\nurl {\npath /\nregex up\nregex_no_match\n}\n}\n}\n}\n",
			"k:8: not carried over: url regex: with regex_no_match the body must not contain it\n" +
				"k:9: not carried over: url regex_no_match: a body must contain a text, or is not looked at\n"},
		"a fallback before another": {"virtual_server 192.0.2.1 80 {\nprotocol TCP\nsorry_server 10.0.0.8 80\nsorry_server 10.0.0.9 80\nreal_server 10.0.0.1 80 {\n}\n}\n",
			"k:3: not carried over: virtual_server sorry_server: another one counts\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Import(files(map[string]string{"k": c.text}), []Input{{"k", "k"}})
			if err != nil {
				t.Fatal(err)
			}
			var lost strings.Builder
			for _, n := range got.Notes {
				if n.Fate == Dropped {
					fmt.Fprintln(&lost, n)
				}
			}
			if lost.String() != c.want {
				t.Errorf("got\n%s\nwant\n%s", &lost, c.want)
			}
		})
	}
}
