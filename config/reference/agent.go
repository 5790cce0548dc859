package main

// agentTexts say what the keys of the agent file mean.
var agentTexts = map[string]text{
	"agent name": {
		what: "the director's name, unique in the cluster",
		def:  "the host's name up to the first dot", example: `"lb1"`,
	},
	"agent bind": {
		what: "the address of this host that the other agents reach, and the cluster port (TCP)",
		typ:  "address or endpoint", def: "required; port 7400", example: `"192.0.2.1"`,
	},
	"agent gossip": {
		what: "the gossip port (TCP and UDP)",
		typ:  "address or endpoint", def: "the address of `bind`; port 7401", example: `"192.0.2.1:7401"`,
	},
	"agent data_dir": {
		what: "keys, log, snapshots and records; keep it on a disk that survives a restart",
		def:  "`\"/var/lib/quorate\"`", example: `"/srv/quorate"`,
	},
	"agent socket": {
		what: "the unix socket of the local API; 107 bytes at most",
		def:  "`\"/run/quorate/quorate.sock\"`", example: `"/run/quorate/two.sock"`,
	},
	"agent socket_group": {
		what: "the group that may use it besides root, as viewers; `\"\"` for root alone. See [roles](operations.md#roles)",
		def:  "`\"quorate\"`", example: `"admin"`,
	},
	"agent operator_group": {
		what: "those of `socket_group` who are in this group too are operators",
		def:  "nobody", example: `"lb-operators"`,
	},
	"agent admin_group": {
		what: "those of `socket_group` who are in this group too are admins, as root is",
		def:  "nobody", example: `"wheel"`,
	},
	"agent keeper_socket": {
		what: "between the agent's two processes; 107 bytes at most. Without it, `keeper.sock` beside `socket`",
		def:  "`\"/run/quorate/keeper.sock\"`", example: `"/run/quorate/two-keeper.sock"`,
	},
	"agent role": {
		what: "`\"director\"` serves; `\"witness\"` only votes and observes",
		def:  "`\"director\"`", example: `"witness"`,
	},
	"agent prepare_host": {
		what:    "the agent may set sysctls and load kernel modules; `false` if something else does",
		example: `false`,
	},
	"agent sync_interface": {
		what: "where connections are passed on to the other directors; a logical name or the kernel's",
		def:  "the interface that has `bind`", example: `"lan"`,
	},
	"agent heartbeat": {
		what: "Raft's; 50ms to 10s. A leader that no majority answers for as long as one of them (its lease) leads no more. One that is lost is missed for one to three of them, or up to eight times as long while members answer slowly; addresses do not wait for that. The same on all members",
		def:  "`\"500ms\"`", example: `"1s"`,
	},
	"agent liveness": {
		what: "between two looks whether the other members are there; 100ms to 1s. An owner that misses three is dead if a majority finds so. The same on all members",
		def:  "`\"100ms\"`", example: `"200ms"`,
	},
	"agent raise_level_after": {
		what: "how long all members have to support a higher feature level before the leader raises the cluster's; 1s to 8760h, or `\"never\"`: `quorate upgrade finish` alone does. The longest that any member says counts",
		def:  "`\"24h\"`", example: `"never"`,
	},
	"agent log_level": {
		what: "how much the agent logs",
		def:  "`\"info\"`", example: `"debug"`,
	},
	"join address": {
		what: "a member's cluster port. An agent that is a member asks there too, when it finds no leader: the others may have moved",
		typ:  "address or endpoint", def: "required; port 7400", example: `"192.0.2.1"`,
	},
	"join token": {
		what: "what `quorate token create` printed",
		def:  "this or `token_file`", example: `"quorate1..."`,
	},
	"join token_file": {
		what: "a file with the token, which keeps it out of this one",
		def:  "this or `token`", example: `"/etc/quorate/token"`,
	},
}
