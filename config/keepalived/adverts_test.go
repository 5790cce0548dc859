package keepalived

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhereKeepalivedAndARouterDoNotBelieveEachOtherItIsSaid is of all that can make the adverts of a router others than those
// of its instance.
func TestWhereKeepalivedAndARouterDoNotBelieveEachOtherItIsSaid(t *testing.T) {
	const (
		both  = "both would have the addresses while both run: stop keepalived on all hosts before you apply"
		older = "keepalived 2.3.2 and older drops adverts with another list of addresses, and then " + both
		key   = "  key 1 0123456789abcdef0123456789abcdef\n"
		file  = "  key 1 file:/etc/key\n"
	)
	global := func(words string) string { return "global_defs {\n" + words + "\n}\n" }
	auth := func(kind, pass string) string {
		return " authentication {\n  auth_type " + kind + "\n" + strings.Replace("  auth_pass "+pass+"\n", "  auth_pass \n", "", 1) + " }\n"
	}
	hmac := func(words string) string { return " version 3\n auth_hmac {\n" + words + " }\n" }
	one := func(more string, addresses ...string) string {
		if addresses == nil {
			addresses = []string{"192.0.2.1/24"}
		}
		return fileOf("", routed{"V", "eth0", 5, more, addresses})
	}
	var many []string
	for n := range 251 {
		many = append(many, fmt.Sprintf("10.0.0.%d/24", n+1))
	}
	excluded := func(more string) string {
		return "vrrp_instance V {\n interface eth0\n virtual_router_id 5\n" + more + " virtual_ipaddress_excluded {\n  192.0.2.1/24\n }\n}\n"
	}
	peers := " unicast_peer {\n  192.0.2.9\n }\n"
	for name, c := range map[string]struct {
		hosts []string
		told  []string // of each note, without what follows of it
	}{
		"nothing":                          {[]string{one("")}, nil},
		"two hosts alike":                  {[]string{one(" version 3\n"), one(" version 3\n")}, nil},
		"the usual groups":                 {[]string{global("vrrp_mcast_group4 224.0.0.18") + one(" mcast_dst_ip 224.0.0.18\n")}, nil},
		"another group":                    {[]string{one(" mcast_dst_ip 224.0.0.99\n")}, []string{"go to 224.0.0.18 and not to 224.0.0.99"}},
		"another group of all":             {[]string{global("vrrp_mcast_group4 224.0.0.99") + one("")}, []string{"go to 224.0.0.18 and not to 224.0.0.99"}},
		"another group of IPv6":            {[]string{global("vrrp_mcast_group6 ff02::99") + one("", "fe80::1/64")}, []string{"go to ff02::12 and not to ff02::99"}},
		"of the other family":              {[]string{global("vrrp_mcast_group6 ff02::99") + one("")}, nil},
		"an own one instead":               {[]string{global("vrrp_mcast_group4 224.0.0.99") + one(" mcast_dst_ip 224.0.0.18\n")}, nil},
		"a group that unicast has not":     {[]string{one(" mcast_dst_ip 224.0.0.99\n" + peers)}, nil},
		"unicast on one":                   {[]string{one(peers), one("")}, []string{"go to single hosts and not to 224.0.0.18"}},
		"a password":                       {[]string{one(auth("PASS", "abc"))}, nil},
		"a password in version 3":          {[]string{one(" version 3\n" + auth("PASS", "abc"))}, nil},
		"another password":                 {[]string{one(auth("PASS", "abc")), one(auth("PASS", "abd"))}, []string{"have another password"}},
		"a password on one":                {[]string{one(auth("PASS", "abc")), one("")}, []string{"have a password"}},
		"none on the first":                {[]string{one(""), one(auth("PASS", "abc"))}, []string{"have no password"}},
		"a password in strict mode":        {[]string{one(" strict_mode\n" + auth("PASS", "abc"))}, nil},
		"no password":                      {[]string{one(auth("PASS", ""))}, nil},
		"an unknown word":                  {[]string{one(auth("MD5", "abc"))}, nil},
		"AH":                               {[]string{one(auth("AH", "abc"))}, []string{"have no AH"}},
		"AH without a password":            {[]string{one(auth("AH", ""))}, nil},
		"AH of IPv6":                       {[]string{one(auth("AH", "abc"), "fe80::1/64")}, nil},
		"a signature":                      {[]string{one(hmac(key))}, nil},
		"of version 2":                     {[]string{one(strings.Replace(hmac(key), "3", "2", 1))}, []string{"are not signed as auth_hmac has it"}},
		"with a key in a file":             {[]string{one(hmac(file))}, []string{"are not signed as auth_hmac has it"}},
		"with the active key in a file":    {[]string{one(hmac(file + strings.Replace(key, "1", "2", 1)))}, []string{"are not signed as auth_hmac has it"}},
		"with a key that is too short":     {[]string{one(hmac("  key 1 abc\n"))}, nil},
		"with another key":                 {[]string{one(hmac(key)), one(hmac(strings.Replace(key, "f", "e", 1)))}, []string{"are not signed as auth_hmac has it"}},
		"by those who sign alone":          {[]string{one(hmac(key + "  mode receive-only\n"))}, []string{"are not signed as auth_hmac has it"}},
		"by who believes all":              {[]string{one(hmac(key + "  mode permissive\n"))}, nil},
		"on one alone":                     {[]string{one(hmac(key)), one(" version 3\n")}, []string{"are signed"}},
		"the version":                      {[]string{one(" version 3\n"), one("")}, []string{"have version 3 and not 2"}},
		"the interval of version 2":        {[]string{one(" advert_int 1\n"), one(" advert_int 2\n")}, []string{"have an interval of 1s and not 2s"}},
		"the interval of version 3":        {[]string{one(" version 3\n advert_int 1\n"), one(" version 3\n advert_int 2\n")}, nil},
		"an interval that is rounded":      {[]string{one(" advert_int 1.4\n")}, nil},
		"the checksum":                     {[]string{one(" version 3\n"), one(" version 3\n v3_checksum_as_v2\n")}, []string{"have another checksum"}},
		"the VRID":                         {[]string{one("") + fileOf("", routed{"W", "eth0", 5, peers, []string{"192.0.2.2/24"}})}, []string{"have VRID 6 and not 5"}},
		"the interface":                    {[]string{one("", "192.0.2.1/24 dev eth1")}, []string{"are on eth1 and not on eth0"}},
		"two of them":                      {[]string{one(" mcast_dst_ip 224.0.0.99\n"+auth("AH", "abc"), "192.0.2.1/24 dev eth1")}, []string{"are on eth1 and not on eth0, go to 224.0.0.18 and not to 224.0.0.99, have no AH"}},
		"an address elsewhere":             {[]string{one("", "192.0.2.1/24", "192.0.2.2/24 dev eth1")}, []string{older}},
		"a link-local one":                 {[]string{one("", "2001:db8::1/64")}, []string{older}},
		"one that is no host's":            {[]string{one("", "192.0.2.1/24", "127.0.0.9/32")}, []string{older}},
		"one of another family":            {[]string{one("", "192.0.2.1/24", "fe80::1/64")}, nil},
		"one that is there twice":          {[]string{one("", "192.0.2.1/24", "192.0.2.1/24")}, nil},
		"more than there is room for":      {[]string{one("", many...)}, []string{older}},
		"one that only the other has":      {[]string{one(""), one("", "192.0.2.1/24", "192.0.2.2/24")}, []string{older}},
		"one that keepalived has excluded": {[]string{excluded("")}, []string{older}},
	} {
		t.Run(name, func(t *testing.T) {
			r := imports(t, c.hosts...)
			got := said(r, both)
			if len(got) != len(c.told) {
				t.Fatalf("%q is said, and not %q\n%s", got, c.told, report(r))
			}
			for k, want := range c.told {
				if want != older {
					want = fmt.Sprintf("keepalived and quorate do not believe each other's adverts of this router: quorate's %s; %s", want, both)
				}
				if place := string(rune('a'+len(c.hosts)-1)) + ":"; !strings.HasSuffix(got[k], ": "+want) || !strings.HasPrefix(got[k], place) || !strings.Contains(got[k], "carried over with a difference: vrrp_instance: ") {
					t.Errorf("%q is said, and not %q, in %s", got[k], want, place)
				}
			}
		})
	}
}
