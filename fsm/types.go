package fsm

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Config is what a person writes in a cluster file, as the cluster agreed on it. Maps are keyed by
// name. A Config that is part of a [State] is never changed; a new one takes its place, which shares with it what did not
// change: of services, of which there are many, even most of the map.
type Config struct {
	Routers    map[string]Router    `json:"routers,omitempty"`
	SyncGroups map[string]SyncGroup `json:"sync_groups,omitempty"`
	Services   Map[Service]         `json:"services,omitzero"`
	Tracks     map[string]Track     `json:"tracks,omitempty"`
}

// SyncGroup is a set of routers that change state together.
type SyncGroup struct {
	Name    string   `json:"name"`
	Routers []string `json:"routers"` // in the order of the file; each router is in one group at most
	Needs   Needs    `json:"needs,omitzero"`

	Placement Placement `json:"placement,omitzero"`
}

// Group is what is owned and moved as one: a sync group, or a router that is in none. Its name is
// the sync group's or the router's.
type Group struct {
	Name    string
	Routers []Router
	Needs   Needs // of the sync group, then those of its routers

	Placement Placement
}

// Protocol is the transport protocol of a virtual service.
type Protocol string

// The protocols that a virtual service can have.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Forward is the way in which IPVS passes packets to a real server.
type Forward string

// The forwarding methods: network address translation, direct routing, and IPIP tunnelling.
const (
	NAT    Forward = "nat"
	Direct Forward = "direct"
	Tunnel Forward = "tunnel"
)

// Schedulers lists the IPVS schedulers that a service may name, sorted.
var Schedulers = []string{"dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "wlc", "wrr"}

// Service is an IPVS virtual service. It is known by address, port and protocol, or by a firewall
// mark and family; exactly one of Address and Mark is set.
type Service struct {
	Name      string         `json:"name"`
	Address   netip.AddrPort `json:"address,omitzero"`
	Protocol  Protocol       `json:"protocol,omitempty"` // empty for a mark
	Mark      uint32         `json:"mark,omitempty"`
	IPv6      bool           `json:"ipv6,omitempty"` // the family of a mark's real servers
	Scheduler string         `json:"scheduler"`
	Forward   Forward        `json:"forward"`

	// Persistence keeps a client on the real server it had, for this long after its last
	// connection; 0 is off. PersistenceMask is the prefix length by which clients are told apart.
	Persistence     time.Duration `json:"persistence,omitempty"`
	PersistenceMask int           `json:"persistence_mask,omitempty"`

	Agreement Agreement `json:"agreement,omitempty"`
	Checks    []Check   `json:"checks,omitempty"` // all must pass; none: the servers are always up
	Servers   []Server  `json:"servers"`
	Fallback  *Server   `json:"fallback,omitempty"` // serves while no real server is up
}

// Agreement says how many of the live observers must find a real server dead.
type Agreement string

// The agreements: more than half (the default), one, or every live observer.
const (
	Majority Agreement = "majority"
	Any      Agreement = "any"
	All      Agreement = "all"
)

// Server is a real server of a virtual service. For a service by mark the port is 0.
type Server struct {
	Address netip.AddrPort `json:"address"`
	Weight  uint32         `json:"weight"`
	Forward Forward        `json:"forward,omitempty"` // empty: as the service says
	Inhibit bool           `json:"inhibit,omitempty"` // a dead server keeps its place, with weight 0
}

// CheckKind names a way to probe a real server.
type CheckKind string

// The kinds of check.
const (
	CheckTCP    CheckKind = "tcp"    // a connection can be opened
	CheckHTTP   CheckKind = "http"   // a fetch gives the status and body asked for
	CheckHTTPS  CheckKind = "https"  // the same over TLS, certificate included
	CheckSMTP   CheckKind = "smtp"   // banner, HELO, QUIT
	CheckScript CheckKind = "script" // a program exits with 0
)

// Check is one probe of each real server of a service, and how its results count.
type Check struct {
	Kind     CheckKind     `json:"kind"`
	Interval time.Duration `json:"interval"`       // between the starts of attempts
	Timeout  time.Duration `json:"timeout"`        // one deadline for the whole attempt
	Rise     int           `json:"rise"`           // passes in a row that make a dead server live
	Fall     int           `json:"fall"`           // failures in a row that make a live server dead
	Port     uint16        `json:"port,omitempty"` // 0: the real server's

	Host     string `json:"host,omitempty"`     // HTTP Host and TLS server name; for SMTP the name said in HELO
	Path     string `json:"path,omitempty"`     // HTTP, HTTPS
	Status   []int  `json:"status,omitempty"`   // HTTP, HTTPS: the statuses that pass; empty: 200 to 299
	Body     string `json:"body,omitempty"`     // HTTP, HTTPS: a text that the body must contain
	Insecure bool   `json:"insecure,omitempty"` // HTTPS: take any certificate
	CA       string `json:"ca,omitempty"`       // HTTPS: PEM of the authorities that count; empty: the host's

	Command []string `json:"command,omitempty"` // script: argv, no shell
	User    string   `json:"user,omitempty"`    // script: who runs it; empty: an unprivileged user
}

// ServerKey names one real server of one service. Its text form is "service/address:port".
type ServerKey struct {
	Service string
	Server  netip.AddrPort
}

// String returns the key's text form.
func (k ServerKey) String() string { return k.Service + "/" + k.Server.String() }

// MarshalText implements [encoding.TextMarshaler].
func (k ServerKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *ServerKey) UnmarshalText(text []byte) error {
	s := string(text)
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return fmt.Errorf("server key %q: no slash", s)
	}
	addr, err := netip.ParseAddrPort(s[i+1:])
	if err != nil {
		return fmt.Errorf("server key %q: %w", s, err)
	}
	*k = ServerKey{Service: s[:i], Server: addr}
	return nil
}

// Health is what is thought of a real server.
type Health string

// The values of Health. The empty string is Unknown's twin in a missing entry.
const (
	Unknown Health = "unknown"
	Up      Health = "up"
	Down    Health = "down"
)

// Verdict is what the cluster agreed about one real server.
type Verdict struct {
	Health Health `json:"health"`
	Cause  string `json:"cause,omitempty"` // what the observers saw, for people
}

// Role is what a member is there for.
type Role string

// The roles: a director serves, a witness only votes and observes.
const (
	RoleDirector Role = "director"
	RoleWitness  Role = "witness"
)

// Member is one agent of the cluster, known by its name. ID is unique for ever: a host rebuilt
// under an old name has another.
type Member struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Role     Role           `json:"role"`
	Address  netip.AddrPort `json:"address"`   // cluster port
	Gossip   netip.AddrPort `json:"gossip"`    // gossip port
	Sources  []netip.Addr   `json:"sources"`   // its interfaces' own addresses: who sends VRRP from these is a member
	Draining bool           `json:"draining"`  // asked to own nothing
	MinLevel int            `json:"min_level"` // feature levels that its binary supports
	MaxLevel int            `json:"max_level"`
	Version  string         `json:"version"`
}

// Ownership is what the log says about one group.
type Ownership struct {
	Owner  string   `json:"owner,omitempty"` // member name; "" before the first
	Epoch  uint64   `json:"epoch"`           // raised each time the log names or confirms an owner
	Order  []string `json:"order,omitempty"` // successors, best first, without the owner
	Reason string   `json:"reason,omitempty"`
	Intent *Intent  `json:"intent,omitempty"` // a planned move under way; it changes no priority
	Forced bool     `json:"forced,omitempty"` // the owner has it by force: until it has been ready, that it is not moves nothing
}

// Intent is the first entry of a planned move: To will claim the group from its owner.
type Intent struct {
	To     string `json:"to"`
	Epoch  uint64 `json:"epoch"` // the epoch that the outcome will have
	Reason string `json:"reason"`
	Forced bool   `json:"forced,omitempty"` // To is to own it though it is not ready, lacks connections or is cut off on a segment
}

// Token lets one agent join. The token itself is known to nobody but who made it.
type Token struct {
	Hash    string    `json:"hash"` // SHA-256 of the secret, hex
	Role    Role      `json:"role"`
	Expires time.Time `json:"expires"`           // UTC
	UsedBy  string    `json:"used_by,omitempty"` // name and ID of the member that it let in
	CA      string    `json:"ca,omitempty"`      // ID of the CA that it names, and with which it ends; "" before CAs were rotated
}

// Authority is a CA that is to follow the present one. All is in PEM.
type Authority struct {
	Cert []byte `json:"cert"`
	Key  []byte `json:"key"`
	Link []byte `json:"link"` // see [Link]
}

// Link is by what a director that knows only a former CA knows the one that followed it: a certificate of the
// latter's key, signed by the former. Both are in PEM.
type Link struct {
	Of   []byte `json:"of"` // the former CA's own certificate
	Cert []byte `json:"cert"`
}

// Secrets is the part of the state that no read of it shows.
type Secrets struct {
	CACert    []byte           `json:"ca_cert"` // PEM
	CAKey     []byte           `json:"ca_key"`  // PEM
	GossipKey []byte           `json:"gossip_key"`
	Tokens    map[string]Token `json:"tokens"` // by the token's public half

	// While keys are rotated, see [Rotation].
	GossipNext   []byte `json:"gossip_next,omitempty"`   // taken beside the key, and used next
	GossipFormer []byte `json:"gossip_former,omitempty"` // used before, and still taken

	CANext   *Authority `json:"ca_next,omitempty"`   // trusted beside the CA, and signs next
	CAFormer []byte     `json:"ca_former,omitempty"` // PEM; signed before, and still trusted
	CALinks  []Link     `json:"ca_links,omitempty"`  // the newest, oldest first

	VRRPKeys      map[string]string `json:"vrrp_keys,omitempty"`       // of routers, by name: see [Auth]
	VRRPOtherKeys map[string]string `json:"vrrp_other_keys,omitempty"` // the same, of those that have another

	// Former are the keys of routers before a revision that changed them or took their routers away, by that
	// revision and the router's name: what is taken back comes back with its keys.
	Former map[uint64]map[string]AuthKeys `json:"former_keys,omitempty"`
}
