package main

// vrrpTexts say what the keys of routers, sync groups and tracks mean.
var vrrpTexts = map[string]text{
	"sync_group routers": {
		what: "a router is in one sync group at most; a router in none is a group of its own",
		typ:  "list of text", span: "names of routers", example: `["outside", "inside"]`, keepalived: "group",
	},
	"sync_group on_quorum_loss": {
		what: "what a director does with the group when it has been without quorum for two seconds; [the truth table](ownership-truth-table.md) says what becomes of it",
		def:  "`\"hold\"`", span: "`\"hold\"`, `\"yield\"`, `\"drop\"`", example: `"drop"`,
	},
	"sync_group on_segment_cut": {
		what: "who owns the group where a segment of it is cut in two and the directors of both sides speak to each other: `each` side has an owner, or `one` side, the one with more directors; of two with as many, the owner's. Where another segment of the group joins the sides, one has in any case",
		def:  "`\"each\"`", span: "`\"each\"`, `\"one\"`", example: `"one"`,
	},
	"router vrid": {
		what: "the virtual router identifier; one for each interface and address family",
		span: "1 to 255", example: `51`, keepalived: "virtual_router_id",
	},
	"router interface": {
		what: "the logical name that each agent file maps to a real interface, or the kernel's own name where all hosts agree",
		span: "15 characters", example: `"wan"`, keepalived: "interface",
	},
	"router addresses": {
		what: "the virtual addresses, each with the prefix length of the network on that interface; all of one family",
		typ:  "list of text", span: "1 to 255 IPv4 or 1 to 90 IPv6 addresses", example: `["192.168.1.1/24"]`, keepalived: "virtual_ipaddress",
	},
	"router excluded": {
		what: "more addresses that go with them and are not in the advertisements",
		typ:  "list of text", def: "none", span: "addresses of either family", example: `["10.0.0.1/8", "2001:db8::1/64"]`, keepalived: "virtual_ipaddress_excluded",
	},
	"router profile": {
		what: "chooses the interval that is not written down: 1 s; 2 s; 100 ms. It is not stored",
		def:  "`\"lan\"`", span: "`\"lan\"`, `\"vm\"`, `\"fast\"`", example: `"fast"`,
	},
	"router interval": {
		what: "between two advertisements; a dead director is noticed after three of them",
		def:  "the profile's: `\"1s\"`, `\"2s\"`, `\"100ms\"`", span: "`\"10ms\"` to `\"40.95s\"`, in steps of 10 ms; version 2: whole seconds to `\"4m15s\"`", example: `"500ms"`, keepalived: "advert_int",
	},
	"router version": {
		what: "of VRRP. 2 is for IPv4 beside routers that know no other",
		def:  "`3`", span: "2 or 3", example: `2`, keepalived: "vrrp_version, version; 2 if left out",
	},
	"router checksum": {
		what: "of IPv4 in version 3, as it is sent: with the pseudo-header, as keepalived, FRR and Arista have it, or without, as Cisco has it. Both are believed",
		def:  "`\"pseudo\"`", span: "`\"pseudo\"`, `\"plain\"`", example: `"plain"`, keepalived: "v3_checksum_as_v2",
	},
	"router virtual_mac": {
		what:    "the addresses have a MAC address of their own, 00:00:5e:00:01:VRID or 00:00:5e:00:02:VRID, that moves with them",
		example: `true`, keepalived: "use_vmac",
	},
	"router accept": {
		what:    "`false`: the owner's host takes no packets to the addresses for itself. It answers ARP and neighbour discovery, and virtual services on them work. See [vrrp.md](vrrp.md#accept-mode)",
		example: `false`, keepalived: "accept, no_accept",
	},
	"router address_owner": {
		what: "the director that advertises priority 255 and takes the addresses from everybody as soon as it is there",
		def:  "none", span: "name of a director", example: `"lb1"`, keepalived: "priority 255",
	},
	"router preempt": {
		what:    "`false`: never take from a foreign router of lower priority that is alive. Among directors the cluster decides in any case",
		example: `false`, keepalived: "nopreempt",
	},
	"router preempt_delay": {
		what: "how long a foreign router of lower priority is followed before it is taken from; not with `preempt = false`",
		def:  "`\"0s\"`", span: "to `\"1h\"`", example: `"30s"`, keepalived: "preempt_delay",
	},
	"router refresh": {
		what: "between announcements (ARP, ND) of the addresses when nothing happens",
		def:  "`\"1m\"`", span: "`\"1s\"` to `\"24h\"`, or `\"0s\"` for never", example: `"5m"`, keepalived: "garp_master_refresh",
	},
	"router unicast": {
		what:    "advertisements go to each director and each `peer` by itself, and nobody else is believed",
		example: `true`, keepalived: "unicast_peer",
	},
	"router known_only": {
		what:    "who is neither a director nor a `peer` is not believed, unless signed by `auth \"hmac\"`",
		example: `true`, keepalived: "check_unicast_src",
	},
	"router strict_addresses": {
		what: "advertisements with another list of addresses are not believed, as RFC 3768 has it",
		span: "version 2 only", example: `true`, keepalived: "skip_check_adv_addr, its opposite",
	},
	"router on_quorum_loss": {
		what: "what a director does with the addresses without quorum: see `sync_group`. For a router that is in one, it is said there",
		def:  "`\"hold\"`", span: "`\"hold\"`, `\"yield\"`, `\"drop\"`", example: `"yield"`,
	},
	"router on_segment_cut": {
		what: "who owns the addresses where the segment is cut in two: see `sync_group`. For a router that is in one, it is said there",
		def:  "`\"each\"`", span: "`\"each\"`, `\"one\"`", example: `"one"`,
	},
	"peer min_ttl": {
		what: "the lowest TTL or hop limit of its advertisements. keepalived sends IPv6 unicast with 64, and each router in between takes one off",
		def:  "`255`", span: "1 to 255; with `unicast` only", example: `64`, keepalived: "min_ttl in unicast_peer",
	},
	"auth key_id": {
		what: "the number of the key",
		def:  "`1`", span: "1 to 255; `hmac` only", example: `2`, keepalived: "key in auth_hmac",
	},
	"auth key": {
		what: "the secret. `openssl rand -hex 32` makes one",
		def:  "the one that the cluster has", span: "password, ah: 1 to 8 ASCII characters; hmac: 32 to 64 bytes, in hex", example: `"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"`, keepalived: "auth_pass, key in auth_hmac",
	},
	"auth other_key_id": {
		what: "the number of a second key that is believed too, and signs nothing: see [vrrp.md](vrrp.md#changing-the-key)",
		def:  "none", span: "1 to 255, not `key_id`; `hmac` only", example: `2`, keepalived: "a key in auth_hmac that is not the active_key",
	},
	"auth other_key": {
		what: "the secret of that key",
		def:  "the one that the cluster has", span: "`hmac` only, as `key`", example: `"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"`, keepalived: "key in auth_hmac",
	},
	"route via": {
		what: "the next router; for an IPv4 network it may be an IPv6 address",
		span: "this, `interface`, or both", example: `"192.168.1.254"`, keepalived: "via",
	},
	"route interface": {
		what: "the interface; required with a link-local `via`",
		def:  "the one where `via` is", span: "logical name", example: `"wan"`, keepalived: "dev",
	},
	"route type": {
		what: "the others go nowhere, and have neither `via` nor `interface`",
		def:  "`\"unicast\"`", span: "`\"unicast\"`, `\"blackhole\"`, `\"unreachable\"`, `\"prohibit\"`", example: `"blackhole"`, keepalived: "blackhole, unreachable, prohibit",
	},
	"route source": {
		what: "the source address of the host's own packets",
		def:  "the kernel's choice", example: `"192.168.1.1"`, keepalived: "src",
	},
	"route table": {
		what: "the routing table",
		def:  "`254`, main", span: "1 to 4294967295", example: `100`, keepalived: "table",
	},
	"route metric": {
		what: "the lower is taken",
		def:  "the kernel's: 0, for IPv6 1024", span: "0 to 4294967295", example: `10`, keepalived: "metric",
	},
	"route mtu": {
		what: "of the path",
		def:  "the interface's", span: "68 to 65535; IPv6 from 1280", example: `1400`, keepalived: "mtu",
	},
	"route onlink": {
		what: "`via` is on the interface although no address there says so",
		span: "needs `via` and `interface`", example: `true`, keepalived: "onlink",
	},
	"rule priority": {
		what: "the lower is looked at first; main is 32766",
		span: "1 to 4294967295", example: `1000`, keepalived: "preference",
	},
	"rule family": {
		what: "only where neither `from` nor `to` says it",
		def:  "that of `from` and `to`; `\"ipv4\"` without them", span: "`\"ipv4\"`, `\"ipv6\"`", example: `"ipv6"`,
	},
	"rule from": {
		what:    "source",
		example: `"192.168.2.0/24"`, keepalived: "from",
	},
	"rule to": {
		what:    "destination",
		example: `"10.0.0.0/8"`, keepalived: "to",
	},
	"rule in": {
		what: "the interface that packets came in by",
		span: "logical name", example: `"lan"`, keepalived: "iif",
	},
	"rule out": {
		what: "the interface that a local socket is bound to",
		span: "logical name", example: `"wan"`, keepalived: "oif",
	},
	"rule mark": {
		what: "the firewall mark",
		span: "0 to 4294967295", example: `1`, keepalived: "fwmark",
	},
	"rule mask": {
		what: "which bits of the mark count",
		def:  "all bits", span: "0 to 4294967295", example: `255`, keepalived: "fwmark",
	},
	"rule tos": {
		what: "the type of service",
		span: "a multiple of 4; IPv4 to 28", example: `16`, keepalived: "tos",
	},
	"rule type": {
		what: "`\"unicast\"` looks a table up, the others answer",
		def:  "`\"unicast\"`", span: "as in `route`", example: `"prohibit"`, keepalived: "type",
	},
	"rule table": {
		what: "the table to look up",
		def:  "`254`, main", span: "1 to 4294967295", example: `100`, keepalived: "table",
	},
	"placement directors": {
		what: "the best comes first",
		typ:  "list of text", def: "required", span: "names of directors", example: `["lb2", "lb1"]`,
	},
	"placement hold": {
		what: "how long the wish must have been for the same other director, since the group has its owner, before it moves",
		def:  "`\"1m\"`; of score `\"10s\"`", span: "`\"0s\"` to `\"24h\"`", example: `"3s"`,
	},
	"director score": {
		what: "added to the scores of `prefer`. Who is not named has 0",
		span: "1 to 254", example: `150`, keepalived: "priority",
	},
	"require reverse": {
		what:    "the track must fail",
		example: `true`, keepalived: "reverse",
	},
	"prefer score": {
		what: "below zero it counts while the track fails, above zero while it passes. Of a file, its number times this counts, always",
		span: "-253 to 253, not 0", example: `-60`, keepalived: "weight",
	},
	"prefer reverse": {
		what:    "the score changes its sign",
		example: `true`, keepalived: "reverse",
	},
	"hook on": {
		what: "in which states; `\"fault\"`: this director cannot own the group; `\"stop\"`: it has no part in it any more",
		typ:  "list of text", def: "all of them", span: "`\"owner\"`, `\"standby\"`, `\"fault\"`, `\"stop\"`", example: `["owner"]`, keepalived: "notify_master, _backup, _fault, _stop",
	},
	"hook command": {
		what: "the program, with its absolute path, and its arguments; no shell",
		typ:  "list of text", example: `["/usr/local/bin/update-dns", "gateway"]`, keepalived: "notify_master and the like",
	},
	"hook user": {
		what: "who runs it",
		def:  "`nobody`", example: `"dns"`, keepalived: "script_user",
	},
	"hook timeout": {
		what: "then it is killed, and run again",
		def:  "`\"30s\"`", span: "`\"10ms\"` to `\"1h\"`", example: `"10s"`,
	},
	"track interface": {
		what:    "a logical name",
		example: `"wan"`, keepalived: "track_interface",
	},
	"track command": {
		what: "the program, with its absolute path, and its arguments; no shell",
		typ:  "list of text", example: `["/usr/local/bin/check-database"]`, keepalived: "script",
	},
	"track user": {
		what: "who runs it",
		def:  "an unprivileged user", example: `"monitor"`, keepalived: "user, script_user",
	},
	"track path": {
		what:    "an absolute path",
		example: `"/run/quorate/weight"`, keepalived: "file in vrrp_track_file",
	},
	"track missing": {
		what: "the number while the file is missing, empty or holds none",
		def:  "`0`", span: "-1000000 to 1000000", example: `-10`, keepalived: "init_file",
	},
	"track missing_fails": {
		what:    "then a director cannot own what uses it; not with `missing`",
		example: `true`,
	},
	"track process": {
		what: "the name of the program, without its path",
		def:  "this or `command_line`", example: `"haproxy"`, keepalived: "process",
	},
	"track command_line": {
		what: "all of the command line, the program included, as in /proc/PID/cmdline",
		typ:  "list of text", def: "this or `process`", example: `["/usr/sbin/haproxy", "-Ws"]`, keepalived: "full_command",
	},
	"track at_least": {
		what: "how many are wanted",
		def:  "`1`", span: "from 1", example: `2`, keepalived: "quorum",
	},
	"track at_most": {
		what: "how many may run at most",
		def:  "any number", span: "from 1", example: `8`, keepalived: "quorum_max",
	},
	"track interval": {
		what: "from look to look. Processes are looked at as soon as the kernel tells of a change too",
		def:  "`\"1s\"`; of a file `\"200ms\"`", span: "`\"10ms\"` to `\"24h\"`", example: `"500ms"`, keepalived: "interval",
	},
	"track timeout": {
		what: "of one run, then it is killed and has failed",
		def:  "the interval", span: "`\"10ms\"` to `\"24h\"`", example: `"300ms"`, keepalived: "timeout",
	},
	"track rise": {
		what: "passes in a row that make a failing track pass",
		def:  "`1`", span: "1 to 100", example: `2`, keepalived: "rise",
	},
	"track fall": {
		what: "failures in a row that make a passing track fail",
		def:  "`1`", span: "1 to 100", example: `3`, keepalived: "fall",
	},
	"track up_delay": {
		what: "how long it must be well before it passes",
		def:  "`\"0s\"`", span: "to `\"24h\"`", example: `"5s"`, keepalived: "delay, fork_delay, interface_up_down_delays",
	},
	"track down_delay": {
		what: "how long it must be bad before it fails",
		def:  "`\"0s\"`", span: "to `\"24h\"`", example: `"200ms"`, keepalived: "delay, terminate_delay, interface_up_down_delays",
	},
}
