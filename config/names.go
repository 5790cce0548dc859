package config

import (
	"fmt"
	"slices"
	"strings"
)

// Nearest returns the known name that a misspelt one was likely meant to be, or "".
func Nearest(name string, known []string) string {
	best, least := "", 1+len(name)/3
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= least && d < len(k) {
			if best == "" || d < least {
				best, least = k, d
			}
		}
	}
	return best
}

// maxSuggested bounds the names that a hint lists.
const maxSuggested = 20

// hintOf suggests the nearest of the known names, or lists them behind a few words.
func hintOf(lead, name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	more := ""
	if len(known) > maxSuggested {
		more = ", ..."
	}
	return lead + " " + strings.Join(known[:min(len(known), maxSuggested)], ", ") + more
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// elsewhere maps keepalived's words, for those who come from there, to what says the same here.
var elsewhere = map[string]string{
	"vrrp_instance": `router "NAME"`, "vrrp_sync_group": `sync_group "NAME"`, "virtual_server": `service "NAME"`,
	"real_server": `server "ADDRESS:PORT"`, "sorry_server": `fallback "ADDRESS:PORT"`,
	"virtual_router_id": "vrid", "virtual_ipaddress": "addresses", "advert_int": "interval",
	"group": "routers", "lb_algo": "scheduler", "lvs_sched": "scheduler", "lb_kind": "forward",
	"lvs_method": "forward", "persistence_timeout": "persistence", "persistence_granularity": "persistence_mask",
	"inhibit_on_failure": "inhibit", "delay_loop": "interval in a check block", "connect_timeout": "timeout in a check block",
	"connect_port": "port", "retry": "fall", "fwmark": "mark", "virtualhost": "host", "status_code": "status",
	"misc_path": "command", "helo_name": "host", "tcp_check": `check "tcp"`, "http_get": `check "http"`,
	"ssl_get": `check "https"`, "smtp_check": `check "smtp"`, "misc_check": `check "script"`, "algorithm": "scheduler",
	"bind_address": "bind", "address_bind": "bind",
	"virtual_ipaddress_excluded": "excluded", "vrrp_version": "version", "use_vmac": "virtual_mac", "no_accept": "accept = false", "nopreempt": "preempt = false",
	"garp_master_refresh": "refresh", "unicast_peer": `unicast = true and peer "ADDRESS"`, "unicast_src_ip": "bind in the agent file",
	"authentication": `auth "KIND"`, "auth_type": `auth "KIND"`, "auth_pass": "key in an auth block", "auth_hmac": `auth "hmac"`,
	"virtual_routes": `route "DESTINATION"`, "virtual_rules": "rule", "v3_checksum_as_v2": `checksum = "plain"`,
	"skip_check_adv_addr": "the default; for the opposite there is strict_addresses", "check_unicast_src": "the default",
	"track_interface": trackWords, "track_script": trackWords, "track_file": trackWords, "track_process": trackWords,
	"vrrp_script": `track "script" "NAME"`, "vrrp_track_file": `track "file" "NAME"`, "vrrp_track_process": `track "process" "NAME"`,
	"init_file": "missing", "full_command": "command_line",
	"fork_delay": "up_delay", "terminate_delay": "down_delay",
	"notify": hookWords, "notify_master": hookWords, "notify_backup": hookWords, "notify_fault": hookWords, "notify_stop": hookWords,
}

const (
	trackWords = `require "TRACK" or prefer "TRACK", and a track`
	hookWords  = `hook "NAME"`
)

// hintName returns a hint for a name that is not known where only the known ones may stand.
func hintName(name string, known []string) string {
	lower := strings.ToLower(name)
	if word, ok := elsewhere[lower]; ok {
		return "here it is " + word
	}
	if n := Nearest(name, known); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	if lower == "priority" || lower == "state" {
		return "who owns an address is not set by host: the cluster places groups"
	}
	return "known here: " + strings.Join(known, ", ")
}

// synonyms maps other tools' names of values to ours.
var synonyms = map[string]string{
	"dr": "direct", "gate": "direct", "gatewaying": "direct", "dsr": "direct", "masq": "nat", "masquerading": "nat",
	"tun": "tunnel", "ipip": "tunnel", "inet": "ipv4", "inet6": "ipv6", "v4": "ipv4", "v6": "ipv6",
	"http_get": "http", "ssl_get": "https", "misc": "script", "misc_check": "script", "tcp_check": "tcp", "smtp_check": "smtp",
	"ssl": "https", "exec": "script", "command": "script", "connect": "tcp",
	"master": "owner", "active": "owner", "backup": "standby", "failed": "fault", "pass": "password", "text": "password",
	"auth_hmac": "hmac", "link": "interface", "throw": "unreachable",
}

// hintValue returns a hint for a value that is none of the known ones.
func hintValue(value string, known []string) string {
	list := "one of " + strings.Join(known, ", ")
	if s := synonyms[strings.ToLower(value)]; s != "" {
		if slices.Contains(known, s) {
			return fmt.Sprintf("did you mean %q? %s", s, list)
		}
	}
	if n := Nearest(value, known); n != "" {
		return fmt.Sprintf("did you mean %q? %s", n, list)
	}
	return list
}
