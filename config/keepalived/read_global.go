package keepalived

import (
	"net/netip"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// host is what one host's files say.
type host struct {
	name   string
	notes  *notes
	tables *tables
	top    []*Statement // all that its files say

	routerID    string
	idAt        Place
	version     uint8 // vrrp_version
	strict      bool
	scriptUser  string
	refresh     time.Duration
	downAdverts int

	group4, group6 netip.Addr // to which adverts go, where they are said

	delays    map[string]delay // of links
	tracks    []*track
	groups    []*group
	instances []*instance
	named     map[string]*instance
	tracked   map[trackKey]*track
	lists     map[string]*serverGroup
	services  []*virtualServer

	syncDaemon bool // lvs_sync_daemon was said

	links map[string]string // what an interface is called on all hosts, where they differ
}

// link is what an interface is called in the cluster file.
func (h *host) link(name string) string {
	if logical, ok := h.links[name]; ok {
		return logical
	}
	return name
}

const announces = "quorate announces addresses on its own schedule"
const perProcess = "quorate sets its own scheduling and memory; see systemd for the rest"
const noMail = "quorate sends no mail; `quorate events` has what happened"
const noBFD = "quorate has no BFD; members look for each other every 100 ms"

func topKeywords() []keyword[host] {
	return []keyword[host]{
		{"global_defs", Carried, "what it says, in the routers and services", func(h *host, t *host, s *Statement) {
			walk(h, s, h.tables.global, t)
		}},
		{"vrrp_script", Carried, "`track \"script\"`", readTrack(fsm.TrackScript)},
		{"vrrp_track_file track_file", Carried, "`track \"file\"`", readTrack(fsm.TrackFile)},
		{"vrrp_track_process", Carried, "`track \"process\"`", readTrack(fsm.TrackProcess)},
		{"vrrp_sync_group", Carried, "`sync_group`", readGroup},
		{"vrrp_instance", Carried, "`router`", readInstance},
		{"virtual_server_group", Carried, "a service for each of its addresses and marks", readServerGroup},
		{"virtual_server", Carried, "`service`", readService},
		{"SSL", Dropped, "a check shows no certificate of its own", nil},
		{"bfd_instance", Dropped, noBFD, nil},
		{"garp_group", Dropped, announces, nil},
		{"track_group", Dropped, "quorate keeps no static addresses or routes", nil},
		{"static_ipaddress static_routes static_rules", Dropped, "what a host always has belongs to its own network configuration", aside[host]},
		{"linkbeat_interfaces", Dropped, "links are watched by the kernel's messages", aside[host]},
		{"interface_up_down_delays", Carried, "`up_delay` and `down_delay` of the interface's track", readDelays},
		{"net_namespace", Dropped, "run the agent in that network namespace, by systemd's NetworkNamespacePath", nil},
		{"net_namespace_ipvs", Dropped, "checks and IPVS are in one network namespace", nil},
		{"namespace_with_ipsets nftables_ipvs", Dropped, "quorate sets no ipsets and no nftables for it", nil},
		{"instance use_pid_dir child_wait_time", Dropped, "a process of quorate is known by its socket and data directory, in the agent file", nil},
		{"linkbeat_use_polling", Dropped, "links are watched by the kernel's messages", nil},
		{"random_seed", Dropped, "nothing in a cluster file is random", nil},
		{"include_check", Dropped, "the importer tells of each include that finds nothing", nil},
	}
}

func globalKeywords() []keyword[host] {
	return []keyword[host]{
		{"router_id", Carried, "the director's name here; its agent file has `name`", func(h *host, _ *host, s *Statement) { h.routerID, h.idAt = s.Arg(0), s.Place }},
		{"vrrp_version", Carried, "`version` of the routers", func(h *host, _ *host, s *Statement) {
			if n, ok := h.number("global_defs", s, 2, 3); ok {
				h.version = uint8(n)
			}
		}},
		{"vrrp_strict", Differs, "of it `accept = false`, in routers that do not accept; the rest of RFC 9568 is kept anyway", func(h *host, _ *host, s *Statement) { h.strict = h.flag("global_defs", s) }},
		{"script_user", Carried, "`user` of tracks, checks and hooks", func(h *host, _ *host, s *Statement) {
			h.scriptUser = s.Arg(0)
			if len(s.Args) > 1 {
				h.tell(Differs, "global_defs", s, noGroup, s.Arg(1))
			}
		}},
		{"vrrp_garp_master_refresh", Carried, "`refresh` of the routers", func(h *host, _ *host, s *Statement) { h.refresh, _ = h.seconds("global_defs", s) }},
		{"vrrp_down_timer_adverts", Dropped, "three adverts that are missed, as RFC 9568 has it", func(h *host, _ *host, s *Statement) {
			h.downAdverts, _ = h.number("global_defs", s, 1, 100)
		}},
		{"vrrp_skip_check_adv_addr", Carried, "the default: another list of addresses is believed, and named", nil},
		{"vrrp_check_unicast_src", Carried, "the default of `unicast`", nil},
		{"enable_script_security", Carried, "always: a program that others than root and its user can change is not run", nil},
		{"lvs_sync_daemon", Differs, "both daemons run on every director; `sync_interface` in the agent file says where", readSyncDaemon},
		{"dynamic_interfaces", Carried, "always: an interface may come and go", nil},
		{"use_symlink_paths set_supplementary_groups", Dropped, "programs are run from the path that is written, with the groups of their user", nil},
		{"lvs_flush lvs_flush_on_stop lvs_flush_onstop", Dropped, "quorate deletes nothing that it did not make, and nothing at start or stop", nil},
		{"lvs_timeouts", Dropped, "set them with ipvsadm --set", nil},
		{"vrrp_garp_interval vrrp_gna_interval vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_master_refresh_repeat " +
			"vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_extra_if vrrp_min_garp vrrp_vmac_garp_intvl", Dropped, announces, nil},
		{"vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert vrrp_owner_ignore_adverts", Dropped, "who gives way where two own is settled as RFC 9568 and the cluster have it", nil},
		{"vrrp_mcast_group4", Dropped, "adverts go to the groups of RFC 9568, 224.0.0.18 and ff02::12", func(h *host, _ *host, s *Statement) { h.group4, _ = address(s.Arg(0)) }},
		{"vrrp_mcast_group6", Dropped, "adverts go to the groups of RFC 9568, 224.0.0.18 and ff02::12", func(h *host, _ *host, s *Statement) { h.group6, _ = address(s.Arg(0)) }},
		{"vrrp_startup_delay vrrp_delay_after_boot", Dropped, "a director takes nothing before it is ready", nil},
		{"vrrp_iptables vrrp_ipsets nftables nftables_priority nftables_counters nftables_ifindex nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark",
			Dropped, "`accept = false` needs no rules of a firewall; other rules are yours", nil},
		{"notification_email", Dropped, noMail, aside[host]},
		{"notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp smtp_alert_checker no_email_faults no_checker_emails",
			Dropped, noMail, nil},
		{"vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script notify_fifo notify_fifo_script fifo_write_vrrp_states_on_reload " +
			"vrrp_notify_priority_changes rs_init_notifies", Dropped, "there are no FIFOs; `quorate events -o json` has what happened, and a `hook` runs a program", nil},
		{"enable_snmp_vrrp enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3 enable_snmp_keepalived enable_traps snmp_socket " +
			"snmp_vs_stats_update_interval snmp_rs_stats_update_interval", Dropped, "there is no SNMP; `quorate status -o json` has the state", nil},
		{"enable_dbus dbus_service_name dbus_no_interface_name", Dropped, "there is no D-Bus; the agent's socket has an HTTP API", nil},
		{"startup_script startup_script_timeout shutdown_script shutdown_script_timeout", Dropped, "ExecStartPre and ExecStopPost of a systemd unit run such programs", nil},
		{"checker_log_all_failures", Dropped, "what a check says is in `quorate explain`", nil},
		{"default_interface", Dropped, "it is for static addresses, which belong to the host's own network configuration", nil},
		{"process_names process_name vrrp_process_name checker_process_name lvs_process_name bfd_process_name", Dropped, "the processes are `quorate agent` and `quorate keeper`", nil},
		{"vrrp_priority checker_priority bfd_priority vrrp_rt_priority checker_rt_priority bfd_rt_priority vrrp_no_swap checker_no_swap bfd_no_swap " +
			"vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime vrrp_rlimit_rtime checker_rlimit_rtime bfd_rlimit_rtime " +
			"vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity max_auto_priority min_auto_priority_delay thread_timer_expired", Dropped, perProcess, nil},
		{"reload_check_config reload_time_file reload_repeat reload_file config_save_dir tmp_config_directory", Dropped, "there is no reload: `quorate apply` changes what differs, on all directors at once", nil},
		{"umask data_use_instance state_dump_file stats_dump_file json_dump_file json_version", Dropped, "there are no dumps; `quorate status -o json` has the state", nil},
		{"vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force " +
			"lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force " +
			"vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier process_monitor_rcv_bufs process_monitor_rcv_bufs_force", Dropped, "quorate sizes its buffers itself", nil},
		{"iproute_usr_dir iproute_etc_dir", Dropped, "routing tables are numbers in a cluster file", nil},
		{"vmac_prefix vmac_addr_prefix disable_local_igmp", Dropped, "quorate names and sets the interfaces of virtual MAC addresses itself", nil},
		{"net_namespace net_namespace_ipvs namespace_with_ipsets instance use_pid_dir child_wait_time linkbeat_use_polling random_seed",
			Dropped, "as at the top level", nil},
		{"debug", Dropped, "it does nothing in keepalived either", nil},
	}
}

// ignored is a table for a block of which nothing is read.
func ignored(names string, text string) []keyword[host] {
	return []keyword[host]{{names, Dropped, text, nil}}
}

func garpGroupKeywords() []keyword[host] {
	return ignored("garp_interval gna_interval interface interfaces", announces)
}

func trackGroupKeywords() []keyword[host] {
	return ignored("group", "quorate keeps no static addresses or routes")
}

func bfdKeywords() []keyword[host] {
	return ignored("neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops multihop weight vrrp checker", noBFD)
}

func sslKeywords() []keyword[host] {
	return []keyword[host]{
		{"ca", Dropped, "keepalived does not verify by it; for checks that do there is `ca` in a check", nil},
		{"certificate key password", Dropped, "a check shows no certificate of its own", nil},
	}
}

// delay is how long a link must be down or up to count as that.
type delay struct {
	Place
	down, up time.Duration
}

// readDelays reads how long links must be up or down to count as that.
func readDelays(h *host, _ *host, s *Statement) {
	for _, l := range lines(s) {
		down, ok := seconds(l.Arg(0))
		up := time.Duration(0)
		if len(l.Args) > 1 {
			var good bool
			up, good = seconds(l.Arg(1))
			ok = ok && good
		} else if ok {
			h.notes.Carried(l.Place, s.Word, "%s counts as up at once: keepalived's program has it so where no up_delay is said, whatever its manual says", l.Word)
		}
		if !ok {
			h.notes.Dropped(l.Place, s.Word, "%s: no number of seconds", l.Word)
			continue
		}
		h.delays[l.Word] = delay{l.Place, down, up}
	}
}

// kernelSync is what the kernel's synchronisation of connections has where nothing is said.
var kernelSync = map[string]string{"port": "8848", "group": "224.0.0.81", "ttl": "1", "maxlen": "as much as a packet holds"}

// readSyncDaemon tells what becomes of lvs_sync_daemon INTERFACE [INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS].
func readSyncDaemon(h *host, _ *host, s *Statement) {
	if h.syncDaemon {
		h.tell(Carried, "global_defs", s, "nothing: it was said before, and keepalived ignores it too")
		return
	}
	h.syncDaemon = true
	id := ""
	var own, kernel []string
	for i := 1; i < len(s.Args); i++ {
		word, value := s.Args[i], s.Arg(i+1)
		theirs, known := kernelSync[word]
		switch {
		case word == "id":
			id = "; their id is made of the cluster's, and not " + value
		case !known:
			continue // the instance
		case value != theirs:
			own, kernel = append(own, word+" "+value), append(kernel, theirs)
		}
		i++
	}
	h.tell(Differs, "global_defs", s, "both daemons run on every director, whoever is its owner; `sync_interface = %q` in the agent file says where%s", s.Arg(0), id)
	if len(own) > 0 {
		h.tell(Dropped, "global_defs", s, "%s: it is the kernel's own, %s", strings.Join(own, ", "), strings.Join(kernel, ", "))
	}
}
