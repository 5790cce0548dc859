package host

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheDocumentHasEveryNeed(t *testing.T) {
	text, err := os.ReadFile("../../docs/host.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (module|sysctl) \\| `([^`]+)` \\|([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]+" "+row[2]] = strings.Trim(row[3], " `")
	}
	needed := map[string]string{}
	for _, n := range Needs(Features{
		IPVS: true, NAT: true, Tunnel: true, Sync: true, IPv6: true,
		Schedulers: []string{"SCHEDULER"}, Routers: []string{"INTERFACE"},
	}) {
		needed[n.Kind+" "+n.Name] = n.Value
	}
	if diff := cmp.Diff(needed, documented); diff != "" {
		t.Errorf("docs/host.md (-needed +documented):\n%s", diff)
	}
}
