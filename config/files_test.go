package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/fsm"
)

func TestSeveralFilesAreOneConfiguration(t *testing.T) {
	whole, problems := ParseCluster("article.hcl", testdata(t, "article.hcl"))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	services, routers := whole, whole
	services.Routers, services.SyncGroups, routers.Services = nil, nil, fsm.Map[fsm.Service]{}
	parts, problems := ParseFiles([]File{{"services.hcl", Format(services)}, {"routers.hcl", Format(routers)}})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(whole, parts, byValue); diff != "" {
		t.Errorf("(-one file +two):\n%s", diff)
	}
}

func TestProblemsOfSeveralFilesHaveTheirFile(t *testing.T) {
	router := `router "r" {
  vrid      = 1
  interface = "wan"
  addresses = ["192.0.2.1/24"]
}
`
	for _, tt := range []struct {
		name  string
		files []File
		want  string
	}{
		{"a name that is in two files", []File{{"a.hcl", []byte(router)}, {"b.json", []byte(`{"router": {"r": {}}}`)}},
			"b.json:1:13: error: router \"r\" is there twice (the other is at a.hcl:1:8)\n"},
		{"what two things of two files share", []File{{"a.hcl", []byte(router)}, {"b.hcl", []byte(`

router "s" {
  vrid      = 1
  interface = "wan"
  addresses = ["192.0.2.2/24"]
}
`)}},
			"b.hcl:4:15: error: router \"s\": vrid 1 is used by router \"r\" on interface \"wan\", in the same address family (the other is at a.hcl:2:15)\n"},
		{"in the order of the files", []File{{"a.hcl", []byte("x {}\n")}, {"b.hcl", []byte("\ny {}\n")}, {"c.hcl", []byte("=")}},
			"a.hcl:1:1: error: unknown block \"x\" (known here: sync_group, router, track, service, locals)\n" +
				"b.hcl:2:1: error: unknown block \"y\" (known here: sync_group, router, track, service, locals)\n" +
				"c.hcl:1:1: error: an argument or block definition is required here\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := ParseFiles(tt.files)
			if diff := cmp.Diff(tt.want, problems.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
