package keepalived

import (
	"net/netip"
	"slices"
	"time"

	"github.com/quorate/quorate/fsm"
)

// instance is a vrrp_instance.
type instance struct {
	Place
	name string
	at   map[string]Place // of the keywords that are said more of later

	iface     string
	state     string
	priority  int
	vrid      int
	interval  time.Duration
	version   uint8
	plain     bool // checksum
	vmac      bool
	accept    *bool
	strict    bool
	noPreempt bool
	preempt   time.Duration // delay
	refresh   time.Duration
	strictSet bool
	source    netip.Addr
	unicast   bool
	peers     []fsm.Peer
	ttl       uint8 // with which it sends to them; 0: keepalived's default
	authType  string
	authPass  string
	keys      map[uint8]string
	keyOrder  []uint8
	activeKey uint8
	firstKey  uint8
	hmac      bool
	mode      string       // of auth_hmac
	multicast netip.Addr   // mcast_dst_ip
	list      []netip.Addr // of its addresses, as keepalived advertises it
	addresses []virtual
	excluded  []virtual
	routes    []*Statement
	rules     []*Statement
	uses      []use
	hooks     []hook
	told      int // the priority that programs are told, if another than its own
}

// virtual is a line of virtual_ipaddress.
type virtual struct {
	Place
	net netip.Prefix
	dev string
}

// group is a vrrp_sync_group.
type group struct {
	Place
	name    string
	members []string
	weights bool // sync_group_tracking_weight
	uses    []use
	hooks   []hook
}

func readInstance(h *host, _ *host, s *Statement) {
	i := &instance{Place: s.Place, name: s.Arg(0), at: make(map[string]Place), interval: -1, refresh: -1, keys: make(map[uint8]string)}
	walk(h, s, h.tables.instance, i)
	if other := h.named[i.name]; other != nil {
		h.wrong("", s, "there is one called %s already, at line %d", i.name, other.Line)
		h.lost(i, "state", "priority", "authentication")
		return
	}
	if i.name == "" {
		h.wrong("", s, "it has no name")
		h.lost(i, "state", "priority", "authentication")
		return
	}
	h.instances = append(h.instances, i)
	h.named[i.name] = i
}

// lost tells of keywords of an instance of which it would have been told later.
func (h *host) lost(i *instance, words ...string) {
	for _, word := range words {
		if at, ok := i.at[word]; ok {
			h.notes.Dropped(at, in(inVRRP, word), "its instance is not carried over")
		}
	}
}

// keep keeps where a keyword stands.
func (i *instance) keep(s *Statement) { i.at[s.Word] = s.Place }

const inVRRP = "vrrp_instance"

func instanceKeywords() []keyword[instance] {
	return slices.Concat(instanceRouter(), instanceAdverts(), instanceTracks(), instanceDropped())
}

// instanceRouter are the keywords of the virtual router that an instance is: where, of what, and who has it.
func instanceRouter() []keyword[instance] {
	return []keyword[instance]{
		{"state", Differs, "the cluster places groups", func(_ *host, i *instance, s *Statement) { i.state = s.Arg(0); i.keep(s); s.told = true }},
		{"priority", Carried, "`score` of `director`", func(h *host, i *instance, s *Statement) {
			if n, ok := h.number(inVRRP, s, 1, 255); ok {
				i.priority = n
				i.keep(s)
			}
			s.told = true
		}},
		{"interface", Carried, "`interface`", func(_ *host, i *instance, s *Statement) { i.iface = s.Arg(0); i.keep(s) }},
		{"virtual_router_id", Carried, "`vrid`", func(h *host, i *instance, s *Statement) {
			if n, ok := h.number(inVRRP, s, 1, 255); ok {
				i.vrid = n
				i.keep(s)
			}
		}},
		{"advert_int", Carried, "`interval`", func(h *host, i *instance, s *Statement) {
			d, ok := h.seconds(inVRRP, s)
			if ok && (d < 10*time.Millisecond || d > 255*time.Second) {
				h.wrong(inVRRP, s, "%s: keepalived ignores what is not from 0.01 to 255 s", d)
				ok = false
			}
			if ok {
				i.interval = d
				i.keep(s)
			}
		}},
		{"version", Carried, "`version`", func(h *host, i *instance, s *Statement) {
			if n, ok := h.number(inVRRP, s, 2, 3); ok {
				i.version = uint8(n)
			}
		}},
		{"virtual_ipaddress", Carried, "`addresses`", func(h *host, i *instance, s *Statement) { readAddresses(h, &i.addresses, s) }},
		{"virtual_ipaddress_excluded", Carried, "`excluded`", func(h *host, i *instance, s *Statement) { readAddresses(h, &i.excluded, s) }},
		{"virtual_routes", Carried, "`route`", func(_ *host, i *instance, s *Statement) { i.routes = append(i.routes, lines(s)...) }},
		{"virtual_rules", Carried, "`rule`", func(_ *host, i *instance, s *Statement) { i.rules = append(i.rules, lines(s)...) }},
		{"nopreempt", Carried, "`preempt = false`, and no `placement \"score\"`", func(_ *host, i *instance, s *Statement) { i.noPreempt = true; i.keep(s) }},
		{"preempt", Carried, "the default", func(_ *host, i *instance, _ *Statement) { i.noPreempt = false }},
		{"preempt_delay", Carried, "`preempt_delay`, and `hold` of `placement \"score\"`", func(h *host, i *instance, s *Statement) {
			if d, ok := h.seconds(inVRRP, s); ok {
				i.preempt = d
				i.keep(s)
			}
		}},
		{"accept", Carried, "`accept`", func(_ *host, i *instance, _ *Statement) { on := true; i.accept = &on }},
		{"no_accept", Carried, "`accept = false`; virtual services on the addresses go on", func(_ *host, i *instance, _ *Statement) { off := false; i.accept = &off }},
		{"strict_mode", Differs, "of it `accept = false`; the rest of RFC 9568 is kept anyway", func(h *host, i *instance, s *Statement) {
			i.strict, i.strictSet = h.flag(inVRRP, s), true
		}},
	}
}

// instanceAdverts are the keywords of what an instance sends, to whom, and by what it is believed.
func instanceAdverts() []keyword[instance] {
	return []keyword[instance]{
		{"use_vmac", Carried, "`virtual_mac`", func(h *host, i *instance, s *Statement) {
			i.vmac = true
			if len(s.Args) > 0 {
				h.tell(Differs, inVRRP, s, "`virtual_mac`; quorate names the interface itself, and the MAC address is that of RFC 9568")
			}
		}},
		{"garp_master_refresh", Carried, "`refresh`", func(h *host, i *instance, s *Statement) {
			if d, ok := h.seconds(inVRRP, s); ok {
				i.refresh = d
			}
		}},
		{"v3_checksum_as_v2", Carried, "`checksum = \"plain\"`", func(h *host, i *instance, s *Statement) { i.plain = h.flag(inVRRP, s) }},
		{"unicast_src_ip", Differs, "the interface's own address is spoken from", func(_ *host, i *instance, s *Statement) {
			i.source, _ = address(s.Arg(0))
			i.keep(s)
		}},
		{"mcast_src_ip", Differs, "the interface's own address is spoken from", nil},
		{"unicast_peer", Carried, "`unicast`; directors know each other", readPeers},
		{"check_unicast_src", Carried, "the default of `unicast`", nil},
		{"skip_check_adv_addr", Carried, "the default: another list of addresses is believed, and named", nil},
		{"authentication", Carried, "`auth`", func(h *host, i *instance, s *Statement) {
			walk(h, s, h.tables.auth, i)
			i.keep(s)
			s.told = true
		}},
		{"auth_hmac", Carried, "`auth \"hmac\"`", func(h *host, i *instance, s *Statement) {
			i.hmac = true
			i.keep(s)
			walk(h, s, h.tables.hmac, i)
		}},
		{"vmac_xmit_base vmac_garp_intvl use_vmac_addr vmac_addr_prefix promote_secondaries native_ipv6", Carried, "quorate sees to it where it is needed", nil},
	}
}

// instanceTracks are the keywords of what an instance follows, and who follows it.
func instanceTracks() []keyword[instance] {
	uses := func(kind fsm.TrackKind) func(*host, *instance, *Statement) {
		return func(h *host, i *instance, s *Statement) { readUses(h, &i.uses, kind, inVRRP, s) }
	}
	hooks := func(on string) func(*host, *instance, *Statement) {
		return func(h *host, i *instance, s *Statement) { readHook(h, &i.hooks, on, inVRRP, s) }
	}
	return []keyword[instance]{
		{"track_interface", Carried, usesText, uses(fsm.TrackInterface)},
		{"track_script", Carried, usesText, uses(fsm.TrackScript)},
		{"track_file", Carried, usesText, uses(fsm.TrackFile)},
		{"track_process", Carried, usesText, uses(fsm.TrackProcess)},
		{"track_bfd", Dropped, noBFD, aside[instance]},
		{"notify_master", Differs, hookText, hooks("owner")},
		{"notify_backup", Differs, hookText, hooks("standby")},
		{"notify_fault", Differs, hookText, hooks("fault")},
		{"notify_stop", Differs, hookText, hooks("stop")},
		{"notify", Differs, notifyText, hooks("")},
		{"notify_master_rx_lower_pri notify_deleted", Dropped, "hooks follow owner, standby, fault and stop", nil},
		{"notify_priority_changes smtp_alert snmp_name", Dropped, "neither FIFO nor mail nor SNMP: `quorate events` has what happened", nil},
	}
}

const (
	usesText   = "`require`, and with a weight `prefer`"
	hookText   = "`hook`; it is run again until it succeeds, one at a time"
	notifyText = "a `hook` for each state, with keepalived's words behind; each is run again until it succeeds, one at a time"
)

func instanceDropped() []keyword[instance] {
	return []keyword[instance]{
		{"dont_track_primary", Dropped, "an owner always has a link on each segment of its group", nil},
		{"track_src_ip", Dropped, "write a `track` for it", nil},
		{"linkbeat_use_polling", Dropped, "links are watched by the kernel's messages", nil},
		{"down_timer_adverts", Dropped, "three adverts that are missed, as RFC 9568 has it", nil},
		{"timer_expired_backup", Dropped, "a keeper that stood still longer than that starts as standby anyway", nil},
		{"use_ipvlan vrf", Dropped, "routers are on an interface, or have a `virtual_mac` on it", nil},
		{"no_virtual_ipaddress", Dropped, "a router has addresses", nil},
		{"mcast_dst_ip", Dropped, "adverts go to the groups of RFC 9568, 224.0.0.18 and ff02::12", func(_ *host, i *instance, s *Statement) { i.multicast, _ = address(s.Arg(0)) }},
		{"unicast_ttl", Dropped, "adverts have TTL 255", func(h *host, i *instance, s *Statement) {
			if n, ok := h.number(inVRRP, s, 0, 255); ok {
				i.ttl = uint8(n)
			}
		}},
		{"unicast_fault_no_peer", Dropped, "directors know each other", nil},
		{"old_unicast_checksum", Dropped, "both checksums are believed", nil},
		{"garp_master_delay garp_master_repeat garp_master_refresh_repeat garp_lower_prio_delay garp_lower_prio_repeat garp_extra_if", Dropped, announces, nil},
		{"lower_prio_no_advert higher_prio_send_advert owner_ignore_adverts", Dropped, "who gives way where two own is settled as RFC 9568 and the cluster have it", nil},
		{"log_unknown_vrids kernel_rx_buf_size debug", Dropped, "quorate sizes its buffers and writes its log itself", nil},
		{"lvs_sync_daemon_interface", Differs, "connections are synchronised on every director; `sync_interface` in the agent file says where", nil},
	}
}

func authKeywords() []keyword[instance] {
	return []keyword[instance]{
		{"auth_type", Carried, "the kind of `auth`", func(_ *host, i *instance, s *Statement) { i.authType = s.Arg(0); i.keep(s) }},
		{"auth_pass", Carried, "`key`, in version 2", func(h *host, i *instance, s *Statement) {
			i.authPass = s.Arg(0)
			if len(i.authPass) > maxPassword {
				h.tell(Carried, "authentication", s, "`key`, its first %d characters: version 2 sends no more, and keepalived cuts it too", maxPassword)
			}
		}},
	}
}

func hmacKeywords() []keyword[instance] {
	const block = "auth_hmac"
	return []keyword[instance]{
		{"key", Carried, "`key_id` and `key`; of more than two keys the first two", readKey},
		{"active_key", Carried, "`key_id`", func(h *host, i *instance, s *Statement) {
			if n, ok := h.number(block, s, 1, 255); ok {
				i.activeKey = uint8(n)
			}
		}},
		{"mode", Dropped, "adverts that are not signed are never believed", func(h *host, i *instance, s *Statement) {
			if i.mode = s.Arg(0); i.mode == "enforce" {
				h.tell(Carried, block, s, "the only one: adverts that are not signed are not believed")
			}
		}},
		{"anti_replay time_window", Dropped, "the time in adverts may be off by the same bound on all directors", nil},
	}
}

func readPeers(h *host, i *instance, s *Statement) {
	i.unicast = true
	i.keep(s)
	for _, l := range lines(s) {
		a, ok := address(l.Word)
		if !ok {
			h.notes.Dropped(l.Place, in(inVRRP, s.Word), "%q is not an address", l.Word)
			continue
		}
		p := fsm.Peer{Address: a}
		for k := 0; k+1 < len(l.Args); k += 2 {
			n := &Statement{Args: l.Args[k+1:]}
			switch l.Args[k] {
			case "min_ttl":
				if ttl, ok := h.number(inVRRP, n, 1, 255); ok {
					p.MinTTL = uint8(ttl)
				}
			default:
				h.notes.Dropped(l.Place, in(inVRRP, s.Word), "%s has no bound here but `min_ttl`", l.Args[k])
			}
		}
		i.peers = append(i.peers, p)
	}
}

const inGroup = "vrrp_sync_group"

func readGroup(h *host, _ *host, s *Statement) {
	g := &group{Place: s.Place, name: s.Arg(0)}
	walk(h, s, h.tables.group, g)
	if g.name == "" || len(g.members) == 0 {
		h.wrong("", s, "it has no name, or no members in group { }")
		return
	}
	h.groups = append(h.groups, g)
}

func groupKeywords() []keyword[group] {
	uses := func(kind fsm.TrackKind) func(*host, *group, *Statement) {
		return func(h *host, g *group, s *Statement) { readUses(h, &g.uses, kind, inGroup, s) }
	}
	hooks := func(on string) func(*host, *group, *Statement) {
		return func(h *host, g *group, s *Statement) { readHook(h, &g.hooks, on, inGroup, s) }
	}
	return []keyword[group]{
		{"group", Carried, "`routers`", func(_ *host, g *group, s *Statement) { g.members = append(g.members, words(s)...) }},
		{"track_interface", Carried, usesText, uses(fsm.TrackInterface)},
		{"track_script", Carried, usesText, uses(fsm.TrackScript)},
		{"track_file", Carried, usesText, uses(fsm.TrackFile)},
		{"track_process", Carried, usesText, uses(fsm.TrackProcess)},
		{"track_bfd", Dropped, noBFD, aside[group]},
		{"notify_master", Differs, hookText, hooks("owner")},
		{"notify_backup", Differs, hookText, hooks("standby")},
		{"notify_fault", Differs, hookText, hooks("fault")},
		{"notify_stop", Differs, hookText, hooks("stop")},
		{"notify", Differs, notifyText, hooks("")},
		{"notify_priority_changes smtp_alert", Dropped, "neither FIFO nor mail: `quorate events` has what happened", nil},
		{"global_tracking sync_group_tracking_weight", Carried, "what its routers track keeps its weight", func(_ *host, g *group, _ *Statement) { g.weights = true }},
	}
}
