package fsm

import (
	"net/netip"
	"slices"
	"time"
)

// Router is a VRRP virtual router: a VRID on an interface and address family, with its virtual
// addresses (RFC 9568, section 1.6). What is zero has its default.
type Router struct {
	Name      string         `json:"name"`
	VRID      uint8          `json:"vrid"`      // 1 to 255
	Interface string         `json:"interface"` // logical name; each director's agent file says what it is there
	Addresses []netip.Prefix `json:"addresses"` // of one family, in the order in which they are advertised
	Interval  time.Duration  `json:"interval"`  // between advertisements; 10 ms to 40.95 s in steps of 10 ms, in version 2 whole seconds to 255

	Version      uint8         `json:"version,omitempty"`       // of VRRP: 2, or 3, which is the default
	Checksum     Checksum      `json:"checksum,omitempty"`      // of version 3 over IPv4, as it is sent
	VirtualMAC   bool          `json:"virtual_mac,omitempty"`   // the addresses have a MAC address of their own
	NoAccept     bool          `json:"no_accept,omitempty"`     // the host of the owner takes no packets to them for itself; the address owner's does
	AddressOwner string        `json:"address_owner,omitempty"` // the director that advertises priority 255
	NoPreempt    bool          `json:"no_preempt,omitempty"`    // takes from no foreign router of lower priority
	PreemptDelay time.Duration `json:"preempt_delay,omitempty"` // how long such a router is followed first
	Refresh      time.Duration `json:"refresh,omitempty"`       // between announcements when nothing happens; 0: a minute, negative: none

	Unicast         bool   `json:"unicast,omitempty"`          // adverts go to each member and peer by itself
	Peers           []Peer `json:"peers,omitempty"`            // foreign routers that are known
	KnownOnly       bool   `json:"known_only,omitempty"`       // adverts of who is neither a member nor a peer are not believed
	StrictAddresses bool   `json:"strict_addresses,omitempty"` // version 2: adverts with another list of addresses are not believed
	Auth            *Auth  `json:"auth,omitempty"`

	Excluded []netip.Prefix `json:"excluded,omitempty"` // addresses that go with the others but are not advertised
	Routes   []Route        `json:"routes,omitempty"`
	Rules    []Rule         `json:"rules,omitempty"`

	Needs     Needs     `json:"needs,omitzero"`     // of the router, and so of the group that it is in
	Placement Placement `json:"placement,omitzero"` // where it is in no sync group
}

// Virtual returns all addresses that go with a router, those that it does not advertise behind the others.
func (r Router) Virtual() []netip.Prefix { return slices.Concat(r.Addresses, r.Excluded) }

// IPv6 reports whether the router's addresses are IPv6.
func (r Router) IPv6() bool { return len(r.Addresses) > 0 && r.Addresses[0].Addr().Is6() }

// Checksum is a way to compute the checksum of an advertisement.
type Checksum string

// The checksums: with the pseudo-header, as keepalived, FRR and Arista have it and the default, or of the
// message alone, as RFC 9568 and Cisco have it.
const (
	PseudoChecksum Checksum = "pseudo"
	PlainChecksum  Checksum = "plain"
)

// Peer is a foreign router: keepalived, FRR, a hardware router.
type Peer struct {
	Address netip.Addr `json:"address"`
	MinTTL  uint8      `json:"min_ttl,omitempty"` // of its unicast adverts; 0: 255
}

// AuthKind is a way to tell who sent an advertisement.
type AuthKind string

// The kinds: a password of version 2, which every capture shows; keepalived's signature. AH is only
// received.
const (
	AuthPassword AuthKind = "password"
	AuthHeader   AuthKind = "ah"
	AuthHMAC     AuthKind = "hmac"
)

// Auth is how a router's advertisements are authenticated. Its keys are among the secrets: a Config that is
// part of a [State] has none.
type Auth struct {
	Kind  AuthKind `json:"kind"`
	KeyID uint8    `json:"key_id,omitempty"` // hmac: 1 to 255
	Key   string   `json:"key,omitempty"`    // password: 8 bytes at most; hmac: 32 to 64 bytes in hex

	// OtherID and OtherKey are an hmac key that is believed too, and signs nothing: while keys are changed.
	OtherID  uint8  `json:"other_key_id,omitempty"` // 0: there is none
	OtherKey string `json:"other_key,omitempty"`
}

// Route is a route that is on a host while it owns the router's addresses.
type Route struct {
	To        netip.Prefix `json:"to"`
	Type      string       `json:"type,omitempty"` // unicast, the default, blackhole, unreachable or prohibit
	Via       netip.Addr   `json:"via,omitzero"`
	Interface string       `json:"interface,omitempty"` // logical name
	OnLink    bool         `json:"onlink,omitempty"`
	Source    netip.Addr   `json:"source,omitzero"`
	Table     uint32       `json:"table,omitempty"`
	Metric    uint32       `json:"metric,omitempty"`
	MTU       uint32       `json:"mtu,omitempty"`
}

// Rule is a policy rule that is on a host while it owns the router's addresses.
type Rule struct {
	Priority uint32       `json:"priority"`
	IPv6     bool         `json:"ipv6,omitempty"` // where neither From nor To says so
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	In       string       `json:"in,omitempty"`  // logical name of an interface
	Out      string       `json:"out,omitempty"` // the same
	Mark     uint32       `json:"mark,omitempty"`
	Mask     uint32       `json:"mask,omitempty"`
	TOS      uint8        `json:"tos,omitempty"`
	Type     string       `json:"type,omitempty"` // as of a route; unicast looks the table up
	Table    uint32       `json:"table,omitempty"`
}

// Needs is what a group asks of the director that owns it, and what is run when that changes.
type Needs struct {
	Uses  []Use  `json:"uses,omitempty"`
	Hooks []Hook `json:"hooks,omitempty"` // in the order in which they are run
}

// and returns the needs of both, a new value.
func (n Needs) and(more Needs) Needs {
	return Needs{Uses: slices.Concat(n.Uses, more.Uses), Hooks: slices.Concat(n.Hooks, more.Hooks)}
}

// Use is what a track means to a group: a requirement, without which a director cannot own it, or a
// preference, which moves a director among the successors.
type Use struct {
	Track   string `json:"track"`
	Require bool   `json:"require,omitempty"`
	Score   int    `json:"score,omitempty"`   // while it fails, or its value times this; -253 to 253
	Reverse bool   `json:"reverse,omitempty"` // failing counts as passing
}

// TrackKind names what a track watches.
type TrackKind string

// The kinds of track.
const (
	TrackInterface TrackKind = "interface"
	TrackScript    TrackKind = "script"
	TrackFile      TrackKind = "file"
	TrackProcess   TrackKind = "process"
)

// Track is something that every director watches about itself.
type Track struct {
	Name         string        `json:"name"`
	Kind         TrackKind     `json:"kind"`
	Interface    string        `json:"interface,omitempty"` // logical name
	Command      []string      `json:"command,omitempty"`   // script: argv, no shell
	User         string        `json:"user,omitempty"`      // script: who runs it; empty: an unprivileged user
	Timeout      time.Duration `json:"timeout,omitempty"`   // script
	Path         string        `json:"path,omitempty"`      // file: one that holds a number
	Missing      int           `json:"missing,omitempty"`   // file: its value when it is not there
	MissingFails bool          `json:"missing_fails,omitempty"`
	Process      string        `json:"process,omitempty"`      // name of a program; this or
	CommandLine  []string      `json:"command_line,omitempty"` // all of the command line, the program included
	AtLeast      int           `json:"at_least,omitempty"`     // processes; 0: 1
	AtMost       int           `json:"at_most,omitempty"`      // 0: any number
	Interval     time.Duration `json:"interval,omitempty"`
	Rise         int           `json:"rise,omitempty"`
	Fall         int           `json:"fall,omitempty"`
	UpDelay      time.Duration `json:"up_delay,omitempty"`
	DownDelay    time.Duration `json:"down_delay,omitempty"`
}

// Hook is a program that is run when a director's part in a group changes, again until it succeeds or is
// obsolete.
type Hook struct {
	Name    string        `json:"name"`
	On      []string      `json:"on,omitempty"` // owner, standby, fault, stop; empty: all
	Command []string      `json:"command"`      // argv, no shell
	User    string        `json:"user,omitempty"`
	Timeout time.Duration `json:"timeout,omitempty"`
}
