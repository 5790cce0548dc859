package keepalived

import (
	"strings"
	"testing"
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
