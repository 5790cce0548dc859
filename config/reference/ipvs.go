package main

// ipvsTexts say what the keys of services mean.
var ipvsTexts = map[string]text{
	"service address": {
		what: "where clients connect. Without a port the service takes every port, and needs `persistence`",
		def:  "this or `mark`", example: `"192.168.1.1:80"`, keepalived: "virtual_server IP PORT",
	},
	"service mark": {
		what: "the firewall mark of the packets that belong to the service",
		def:  "this or `address`", span: "1 to 4294967295", example: `7`, keepalived: "virtual_server fwmark",
	},
	"service family": {
		what: "the address family of a mark; not with `address`, which says it",
		def:  "`\"ipv4\"`", span: "`\"ipv4\"`, `\"ipv6\"`", example: `"ipv6"`, keepalived: "ip_family",
	},
	"service protocol": {
		what: "not with `mark`: the rule that sets the mark chooses",
		def:  "`\"tcp\"`", span: "`\"tcp\"`, `\"udp\"`", example: `"udp"`, keepalived: "protocol; UDP if left out",
	},
	"service scheduler": {
		what: "how the kernel chooses a server for a new connection",
		def:  "`\"wlc\"`", example: `"rr"`, keepalived: "lvs_sched, lb_algo",
	},
	"service forward": {
		what: "how packets reach the servers",
		def:  "`\"nat\"`", span: "`\"nat\"`, `\"direct\"`, `\"tunnel\"`", example: `"direct"`, keepalived: "lvs_method, lb_kind",
	},
	"service persistence": {
		what: "a client stays with its server for this long after its last connection",
		def:  "off", span: "`\"1s\"` to `\"744h\"`, whole seconds", example: `"5m"`, keepalived: "persistence_timeout",
	},
	"service persistence_mask": {
		what: "clients of one network of this length count as one; needs `persistence`",
		def:  "each client alone", span: "prefix length, 1 to 32 or 128", example: `24`, keepalived: "persistence_granularity",
	},
	"service agreement": {
		what: "how many of the directors that see a server must find it dead for the cluster to say so",
		def:  "`\"majority\"`", span: "`\"majority\"`, `\"any\"`, `\"all\"`", example: `"any"`,
	},
	"check interval": {
		what: "between the starts of two probes",
		def:  "`\"2s\"`", span: "`\"50ms\"` to `\"24h\"`", example: `"5s"`, keepalived: "delay_loop",
	},
	"check timeout": {
		what: "one deadline for the whole probe",
		def:  "`\"1s\"`, or the interval if that is shorter", span: "`\"10ms\"` to the interval", example: `"500ms"`, keepalived: "connect_timeout, misc_timeout",
	},
	"check rise": {
		what: "passes in a row that make a dead server live",
		def:  "`2`", span: "1 to 100", example: `3`,
	},
	"check fall": {
		what: "failures in a row that make a live server dead",
		def:  "`2`", span: "1 to 100", example: `3`, keepalived: "retry + 1",
	},
	"check port": {
		what: "the port to probe; required where servers have none",
		def:  "the server's port", span: "1 to 65535", example: `8080`, keepalived: "connect_port",
	},
	"check host": {
		what: "the Host header and the TLS server name; the name given in HELO",
		def:  "the server's address; for smtp `localhost`", example: `"www.example.com"`, keepalived: "virtualhost, helo_name",
	},
	"check path": {
		what: "what to fetch",
		def:  "`\"/\"`", example: `"/health"`, keepalived: "path",
	},
	"check status": {
		what: "the statuses that pass",
		typ:  "number or list", def: "200 to 299", span: "100 to 599", example: `[200, 204]`, keepalived: "status_code",
	},
	"check body": {
		what:    "a text that the body must contain",
		example: `"ready"`, keepalived: "regex",
	},
	"check insecure": {
		what:    "take any certificate",
		example: `true`, keepalived: "always",
	},
	"check ca": {
		what: "the authorities that count; not together with `insecure`",
		typ:  "PEM text", def: "the host's authorities", example: `"${local.ca}"`,
	},
	"check command": {
		what: "the program, with its absolute path, and its arguments; no shell",
		typ:  "list of text", example: `["/usr/local/bin/check-queue", "--limit", "500"]`, keepalived: "misc_path",
	},
	"check user": {
		what: "who runs it",
		def:  "`quorate-check`, or `nobody` where there is no such user", example: `"monitor"`, keepalived: "user",
	},
	"server weight": {
		what: "its share; 0 takes no new connections",
		def:  "`1`", span: "0 to 65535", example: `3`, keepalived: "weight",
	},
	"server forward": {
		what: "for this server alone",
		def:  "the service's", example: `"tunnel"`, keepalived: "lvs_method",
	},
	"server inhibit": {
		what:    "when the server is dead keep it in the table with weight 0, so that open connections stay, instead of taking it out",
		example: `true`, keepalived: "inhibit_on_failure",
	},
	"fallback weight": {
		what: "without effect as long as it is alone",
		def:  "`1`", span: "1 to 65535", example: `2`,
	},
	"fallback forward": {
		what: "for the fallback alone",
		def:  "the service's", example: `"direct"`, keepalived: "sorry_server_lvs_method",
	},
}
