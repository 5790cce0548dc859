package ldirectord

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/config/imported"
)

// directive is a line that ldirectord knows, and what becomes of it.
type directive struct {
	names string
	fate  imported.Fate
	text  string
}

// section is what the global lines say, or a virtual service with what it has from them.
type section struct {
	imported.Place
	target  string
	ipv6    bool
	values  map[string]string
	places  map[string]imported.Place
	servers []line
	backup  *line
	backup6 *line
	lines   []imported.Place // all that it says, its first beside
}

// line is a line NAME=VALUE.
type line struct {
	imported.Place
	value string
}

// value returns what a section says, or else the global lines.
func (s *section) value(global *section, name string) string {
	if v, ok := s.values[name]; ok {
		return v
	}
	return global.values[name]
}

const noMail = "quorate sends no mail; `quorate events` has what happened"

// directives are those of both kinds of section; a global one holds for all services.
var directives = []directive{
	{"virtual virtual6", imported.Carried, "`service`"},
	{"real real6", imported.Carried, "`server`"},
	{"fallback fallback6", imported.Carried, "`fallback`"},
	{"scheduler", imported.Carried, "`scheduler`"},
	{"protocol", imported.Carried, "`protocol`"},
	{"persistent", imported.Carried, "`persistence`"},
	{"netmask", imported.Carried, "`persistence_mask`"},
	{"quiescent", imported.Carried, "`inhibit` of the servers"},
	{"checkinterval", imported.Carried, "`interval` of checks"},
	{"checktimeout negotiatetimeout", imported.Carried, "`timeout` of checks"},
	{"timeout connecttimeout", imported.Dropped, "ldirectord does not take it any more either"},
	{"failurecount", imported.Carried, "`fall` of checks"},
	{"checktype", imported.Carried, "the kind of `check`"},
	{"service", imported.Carried, "the kind of `check`"},
	{"checkport", imported.Carried, "`port` of checks"},
	{"checkcommand", imported.Carried, "`command` of a `check \"script\"`"},
	{"request", imported.Carried, "`path` of checks"},
	{"receive", imported.Carried, "`body` of checks, where it is a plain text"},
	{"virtualhost", imported.Carried, "`host` of checks"},
	{"httpmethod", imported.Differs, "a page is fetched by GET"},
	{"servicename", imported.Carried, "the name of the service"},
	{"comment", imported.Dropped, "it is for mails"},
	{"readdquiescent", imported.Carried, "always: what is gone from the table is put right"},
	{"cleanstop", imported.Dropped, "nothing happens to services when an agent stops"},
	{"checkcount", imported.Dropped, "there are no ping checks"},
	{"fork", imported.Carried, "always: checks wait for no other"},
	{"autoreload callback execute supervised", imported.Dropped, "`quorate apply` changes all directors at once; nothing watches a file"},
	{"logfile monitorfile", imported.Dropped, "the agent logs; `quorate explain` and `quorate events` have what checks say"},
	{"emailalert emailalertfrom emailalertfreq emailalertstatus smtp", imported.Dropped, noMail},
	{"fallbackcommand", imported.Dropped, "hooks follow groups, not services; `quorate events -o json` has what happened"},
	{"maintenancedir", imported.Dropped, "write weight 0 to take a server out"},
	{"ops schedflags", imported.Dropped, "schedulers have no flags, and there is no scheduling of single packets"},
	{"login passwd database secret load", imported.Dropped, "there is no check that signs in; a `check \"script\"` can"},
}

// Directives returns the names of all lines that are known, each with what becomes of it.
func Directives() map[string]string {
	all := make(map[string]string)
	for _, d := range directives {
		for name := range strings.FieldsSeq(d.names) {
			all[name] = fmt.Sprintf("%s: %s", d.fate, d.text)
		}
	}
	return all
}

// known makes the directives ready for looking names up.
func known() map[string]*directive {
	m := make(map[string]*directive)
	for i := range directives {
		for name := range strings.FieldsSeq(directives[i].names) {
			m[name] = &directives[i]
		}
	}
	return m
}
