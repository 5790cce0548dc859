package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// The defaults of the agent file.
const (
	DefaultClusterPort  = 7400 // TCP: Raft, API and the agents' own calls
	DefaultGossipPort   = 7401 // TCP and UDP
	DefaultDataDir      = "/var/lib/quorate"
	DefaultSocket       = "/run/quorate/quorate.sock"
	DefaultSocketGroup  = "quorate"
	DefaultKeeperSocket = "/run/quorate/keeper.sock"
	DefaultLogLevel     = "info"
	DefaultHeartbeat    = 500 * time.Millisecond
	DefaultLiveness     = 100 * time.Millisecond
	DefaultRaiseLevel   = 24 * time.Hour
)

// Never is the duration of what is never to be.
const Never time.Duration = -1

// The range of the heartbeat: below, a busy host loses its leadership (measured: 20 ms); above, a lost
// leader is missed for too long.
const (
	minHeartbeat = 50 * time.Millisecond
	maxHeartbeat = 10 * time.Second
)

// The range of the liveness: below, it costs more than it tells; above, VRRP's timer is as fast.
const (
	minLiveness = 100 * time.Millisecond
	maxLiveness = time.Second
)

// The range of what is waited before the feature level is raised.
const (
	minRaiseLevel = time.Second
	maxRaiseLevel = 365 * 24 * time.Hour
)

// Agent is what a person writes in the agent file: what differs from host to host. It is never replicated.
type Agent struct {
	Name          string            // the director's, unique in the cluster; default: the short host name
	DataDir       string            // certificates, log, snapshots and records
	Bind          netip.AddrPort    // cluster port, and the address that the other agents are told
	Gossip        netip.AddrPort    // default: Bind's address, port 7401
	Socket        string            // local API, for root and SocketGroup
	SocketGroup   string            // who besides root may open Socket, as a viewer; empty: nobody
	OperatorGroup string            // who of these is an operator; empty: nobody
	AdminGroup    string            // who of these is an admin; empty: nobody
	KeeperSocket  string            // between control and keeper
	Role          fsm.Role          // director or witness
	Interfaces    map[string]string // logical name to the kernel's
	Prepare       bool              // the agent may set sysctls and load modules
	Heartbeat     time.Duration     // of Raft; all members should have the same
	Liveness      time.Duration     // between looks whether the others are there; all members should have the same
	RaiseLevel    time.Duration     // from when all members support a feature level until the leader raises it; Never: a person does
	SyncInterface string            // of the IPVS sync daemons, logical or the kernel's name; empty: the agent chooses
	LogLevel      string            // trace, debug, info, warn or error
	Join          *Join             // unattended join; nil: a person says init or join
}

// Join is how an agent without a cluster finds one by itself. One of Token and TokenFile is set.
type Join struct {
	Address   netip.AddrPort // a member's cluster port
	Token     string
	TokenFile string // holds the token; read when it is needed
}

// Interface returns the kernel's name of an interface that the cluster file names: what the agent
// file maps it to, else the name itself.
func (a Agent) Interface(name string) string {
	if kernel, ok := a.Interfaces[name]; ok {
		return kernel
	}
	return name
}

// ParseAgent reads an agent file: HCL, or the same in JSON if the file name ends in .json. If one of
// the problems is an error the agent is empty. It reads no file, not even Join's; for a missing name
// it asks the host for its own.
func ParseAgent(filename string, src []byte) (Agent, Problems) {
	return parseAgent(filename, src, os.Hostname)
}

func parseAgent(filename string, src []byte, hostname func() (string, error)) (Agent, Problems) {
	d, top := newNotes().open(filename, src, agentSchema())
	if top == nil {
		return Agent{}, d.problems(nil)
	}
	a := top.agent()
	if a.Name == "" && !top.bad["name"] {
		host, err := hostname()
		if err != nil {
			top.report("name", top.at, `add name = "lb1"`, "no name, and the host has none: %v", err)
		}
		a.Name, _, _ = strings.Cut(host, ".")
	}
	v := new(validator)
	object{v, "", ""}.agent(a)
	problems := d.problems(v.findings)
	if problems.Err() != nil {
		return Agent{}, problems.Errors()
	}
	return a, problems
}

// agent reads the top level.
func (n *node) agent() Agent {
	n.require("bind", `"192.0.2.1", the address of this host that the other agents reach`)
	a := Agent{
		Name:          n.text("name", ""),
		DataDir:       n.text("data_dir", DefaultDataDir),
		Bind:          n.listen("bind", DefaultClusterPort),
		Gossip:        n.listen("gossip", DefaultGossipPort),
		Socket:        n.text("socket", DefaultSocket),
		SocketGroup:   n.text("socket_group", DefaultSocketGroup),
		OperatorGroup: n.text("operator_group", ""),
		AdminGroup:    n.text("admin_group", ""),
		KeeperSocket:  n.text("keeper_socket", "keeper.sock"),
		Role:          fsm.Role(n.word("role", string(fsm.RoleDirector), roles)),
		Prepare:       n.boolean("prepare_host", true),
		SyncInterface: n.text("sync_interface", ""),
		Heartbeat:     n.duration("heartbeat", DefaultHeartbeat),
		Liveness:      n.duration("liveness", DefaultLiveness),
		RaiseLevel:    n.orNever("raise_level_after", DefaultRaiseLevel),
		LogLevel:      n.word("log_level", DefaultLogLevel, logLevels),
	}
	if !filepath.IsAbs(a.KeeperSocket) && !n.has("keeper_socket") {
		a.KeeperSocket = filepath.Join(filepath.Dir(a.Socket), filepath.Base(DefaultKeeperSocket)) // two agents of one host each have their own
	}
	if !n.has("gossip") && a.Bind.IsValid() {
		a.Gossip = netip.AddrPortFrom(a.Bind.Addr(), DefaultGossipPort)
	}
	seen := make(map[string]bool)
	for _, b := range n.blocks {
		p := place{at: b.DefRange.Start, path: b.Type, what: b.Type}
		if seen[b.Type] {
			n.report("", p.at, n.where[b.Type].seen(n.file), "a second %s block", b.Type)
			continue
		}
		seen[b.Type] = true
		m := n.node(n.schema.block(b.Type), b.Body, p)
		switch b.Type {
		case "interfaces":
			for key := range m.attrs {
				put(&a.Interfaces, key, m.text(key, ""))
			}
		case "join":
			a.Join = m.join()
		}
	}
	return a
}

// listen reads an address whose port is optional.
func (n *node) listen(key string, port uint16) netip.AddrPort {
	n.asks(key, "endpoint", nil)
	i, ok := n.get(key)
	if !ok {
		return netip.AddrPort{}
	}
	s, ok := i.text()
	if !ok {
		return netip.AddrPort{}
	}
	ap, wrong, hint := parseEndpoint(s, true)
	if wrong != "" {
		if ap.IsValid() && ap.Addr().IsUnspecified() {
			hint = "the other agents are told this address: write the one that they reach"
		}
		i.fail(hint, "%s", wrong)
		return netip.AddrPort{}
	}
	if ap.Port() == 0 {
		ap = netip.AddrPortFrom(ap.Addr(), port)
	}
	return ap
}

// join reads the join block.
func (n *node) join() *Join {
	n.require("address", `"192.0.2.1"`)
	j := &Join{
		Address:   n.listen("address", DefaultClusterPort),
		Token:     n.text("token", ""),
		TokenFile: n.text("token_file", ""),
	}
	switch {
	case n.has("token") && n.has("token_file"):
		n.report(n.child("token"), n.where[n.child("token")].Pos, "leave one of them out", "join: has a token and a token_file")
	case !n.has("token") && !n.has("token_file") && !n.broken:
		n.report(n.child("token"), n.at, `add token_file = "/etc/quorate/token"; quorate token create makes one`, "join: has no token")
	case j.Token == "" && n.has("token") && !n.bad[n.child("token")]:
		n.report(n.child("token"), n.where[n.child("token")].Pos, "", "join: the token is empty")
	}
	return j
}

// agent checks what was read.
func (o object) agent(a Agent) {
	if !validName(a.Name) {
		o.wrong("name", nameHint, "the name %q is not usable", a.Name)
	}
	if a.Bind == a.Gossip && a.Bind.IsValid() {
		o.wrong("gossip", "another port", "gossip and bind are both %s", a.Bind)
	}
	o.file("data_dir", a.DataDir, 4095)
	o.file("socket", a.Socket, 107) // sun_path
	o.file("keeper_socket", a.KeeperSocket, 107)
	if a.Socket == a.KeeperSocket {
		o.wrong("keeper_socket", "another file", "keeper_socket and socket are both %q", a.Socket)
	}
	o.group("socket_group", a.SocketGroup, `a group's name, or "" for root alone`)
	o.group("operator_group", a.OperatorGroup, `a group's name, or "" for nobody`)
	o.group("admin_group", a.AdminGroup, `a group's name, or "" for nobody`)
	for logical, kernel := range sorted(a.Interfaces) {
		if text, hint := checkInterface(logical); text != "" {
			o.wrong("interfaces."+logical, hint, "logical interface %s", text)
		}
		o.iface("interfaces."+logical, fmt.Sprintf("interface for %q:", logical), kernel)
	}
	if a.Heartbeat < minHeartbeat || a.Heartbeat > maxHeartbeat {
		o.wrong("heartbeat", fmt.Sprintf("%v to %v", minHeartbeat, maxHeartbeat), "heartbeat of %v is out of range", a.Heartbeat)
	}
	if a.Liveness < minLiveness || a.Liveness > maxLiveness {
		o.wrong("liveness", fmt.Sprintf("%v to %v", minLiveness, maxLiveness), "liveness of %v is out of range", a.Liveness)
	}
	if a.RaiseLevel != Never && (a.RaiseLevel < minRaiseLevel || a.RaiseLevel > maxRaiseLevel) {
		o.wrong("raise_level_after", fmt.Sprintf("%v to %gh, or \"never\"", minRaiseLevel, maxRaiseLevel.Hours()), "raise_level_after of %v is out of range", a.RaiseLevel)
	}
	if a.SyncInterface != "" {
		o.iface("sync_interface", "sync_interface", a.SyncInterface)
	}
	if a.Join != nil && a.Join.TokenFile != "" {
		o.file("join.token_file", a.Join.TokenFile, 4095)
	}
}

// group checks the name of a group of users.
func (o object) group(key, name, hint string) {
	if name != "" && !validAccount(name) {
		o.wrong(key, hint, "%s %q is not a group name", key, name)
	}
}

// file checks the path of a file.
func (o object) file(key, path string, limit int) {
	switch {
	case !filepath.IsAbs(path):
		o.wrong(key, "it begins with a slash", "%s %q is not an absolute path", key, path)
	case len(path) > limit:
		o.wrong(key, fmt.Sprintf("the system takes %d bytes", limit), "%s is %d bytes long", key, len(path))
	case strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }):
		o.wrong(key, "", "%s has a control character in it", key)
	}
}
