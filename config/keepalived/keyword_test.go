package keepalived

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func keywordList(t *testing.T) map[string]bool {
	t.Helper()
	b, err := os.ReadFile("testdata/keywords.txt")
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string]bool)
	for name := range strings.FieldsSeq(string(b)) {
		list[name] = true
	}
	if len(list) < 350 {
		t.Fatalf("the list has only %d keywords", len(list))
	}
	return list
}

func TestEveryKeywordOfKeepalivedHasAFate(t *testing.T) {
	list, known := keywordList(t), make(map[string]bool)
	for _, k := range Keywords() {
		known[k.Name] = true
		if k.Text == "" || k.Fate != Carried && k.Fate != Differs && k.Fate != Dropped {
			t.Errorf("%s: what becomes of it is not said: %+v", in(k.Block, k.Name), k)
		}
		if !list[k.Name] {
			t.Errorf("%s is no keyword of keepalived", in(k.Block, k.Name))
		}
	}
	for name := range list {
		if !known[name] {
			t.Errorf("%s has no fate", name)
		}
	}
}

func TestNoKeywordIsTwiceInABlock(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range Keywords() {
		if name := in(k.Block, k.Name); seen[name] {
			t.Errorf("%s is there twice", name)
		} else {
			seen[name] = true
		}
	}
}

// unread are the flags of keepalived whose handlers do not look at what stands behind them.
var unread = strings.Fields(`
	bfd_no_swap checker_no_swap disable_local_igmp dont_track_primary enable_dbus enable_snmp_checker enable_snmp_keepalived
	enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_snmp_vrrp enable_traps fifo_write_vrrp_states_on_reload ha_suspend
	init_fail linkbeat_use_polling log_unknown_vrids lvs_flush misc_dynamic nftables_counters nftables_ifindex no_email_faults
	no_virtual_ipaddress omega ops process_names regex_no_match reload_repeat sorry_server_inhibit track_src_ip
	unicast_fault_no_peer vrrp_no_swap`)

func TestOffIsReadWhereKeepalivedReadsIt(t *testing.T) {
	list := keywordList(t)
	for _, word := range slices.Concat(unread, switched) {
		s := &Statement{Word: word, Args: []string{"off"}}
		if got, want := s.usual(), slices.Contains(switched, word); got != want || !list[word] {
			t.Errorf("%s off: usual %v, and %v is wanted; keepalived has the keyword: %v", word, got, want, list[word])
		}
	}
	for _, word := range unread {
		if slices.Contains(switched, word) {
			t.Errorf("%s is in both lists", word)
		}
	}
}

func TestWhatKeepalivedSwitchesOnWithOffIsOn(t *testing.T) {
	in := files(map[string]string{"k": `
vrrp_instance V {
    interface eth0
    virtual_router_id 1
    no_accept
    accept off
    virtual_ipaddress {
        192.0.2.1/24
    }
}
virtual_server 192.0.2.1 80 {
    protocol TCP
    inhibit_on_failure off
    alpha off
    real_server 198.51.100.1 80 {
        TCP_CHECK {
        }
    }
}`})
	got, err := Import(in, []Input{{"k", "k"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Config.Routers["V"].NoAccept {
		t.Error("accept off is not accept, which keepalived has it be")
	}
	for name, s := range got.Config.Services.All() {
		if !s.Servers[0].Inhibit {
			t.Errorf("%s: inhibit_on_failure off does not inhibit, as it does in keepalived", name)
		}
	}
	if text := report(got); strings.Contains(text, "which it does not say") || got.Config.Services.Len() != 1 {
		t.Errorf("alpha off is alpha in keepalived, and is told as not said:\n%s", text)
	}
}
