package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/quorate/quorate/fsm"
)

// schema is what may stand in one kind of block. It is data, so that the reader, the hints and the
// test of the reference in docs share it.
type schema struct {
	name   string
	label  string // what the block's label is, or ""
	keys   []string
	blocks []*schema
	open   bool // any key may stand there
}

// hcl returns the schema in the form that the hcl package wants.
func (s *schema) hcl() *hcl.BodySchema {
	h := new(hcl.BodySchema)
	for _, k := range s.keys {
		h.Attributes = append(h.Attributes, hcl.AttributeSchema{Name: k})
	}
	for _, b := range s.blocks {
		bh := hcl.BlockHeaderSchema{Type: b.name}
		if b.label != "" {
			bh.LabelNames = []string{b.label}
		}
		h.Blocks = append(h.Blocks, bh)
	}
	return h
}

// known returns the names of keys and blocks.
func (s *schema) known() []string {
	names := append([]string(nil), s.keys...)
	for _, b := range s.blocks {
		names = append(names, b.name)
	}
	return names
}

func (s *schema) block(name string) *schema {
	for _, b := range s.blocks {
		if b.name == name {
			return b
		}
	}
	return nil
}

func clusterSchema() *schema {
	return &schema{blocks: []*schema{
		{name: "sync_group", label: "name", keys: []string{"routers"}},
		{name: "router", label: "name", keys: []string{"vrid", "interface", "addresses", "interval"}},
		{
			name: "service", label: "name",
			keys: []string{
				"address", "mark", "family", "protocol", "scheduler", "forward",
				"persistence", "persistence_mask", "agreement",
			},
			blocks: []*schema{
				{name: "check", label: "kind", keys: []string{
					"interval", "timeout", "rise", "fall", "port",
					"host", "path", "status", "body", "insecure", "ca", "command", "user",
				}},
				{name: "server", label: "address", keys: []string{"weight", "forward", "inhibit"}},
				{name: "fallback", label: "address", keys: []string{"weight", "forward"}},
			},
		},
	}}
}

func agentSchema() *schema {
	return &schema{
		keys: []string{
			"name", "data_dir", "bind", "gossip", "socket", "socket_group", "keeper_socket",
			"role", "prepare_host", "sync_interface", "heartbeat", "log_level",
		},
		blocks: []*schema{
			{name: "interfaces", open: true},
			{name: "join", keys: []string{"address", "token", "token_file"}},
		},
	}
}

// checkKeys names, for each kind of check, the keys that mean something to it.
var checkKeys = map[fsm.CheckKind][]string{
	fsm.CheckTCP:    {"interval", "timeout", "rise", "fall", "port"},
	fsm.CheckHTTP:   {"interval", "timeout", "rise", "fall", "port", "host", "path", "status", "body"},
	fsm.CheckHTTPS:  {"interval", "timeout", "rise", "fall", "port", "host", "path", "status", "body", "insecure", "ca"},
	fsm.CheckSMTP:   {"interval", "timeout", "rise", "fall", "port", "host"},
	fsm.CheckScript: {"interval", "timeout", "rise", "fall", "command", "user"},
}

// The values that a word may have, as a person writes them.
var (
	checkKinds = []string{"tcp", "http", "https", "smtp", "script"}
	forwards   = []string{"nat", "direct", "tunnel"}
	protocols  = []string{"tcp", "udp"}
	families   = []string{"ipv4", "ipv6"}
	agreements = []string{"majority", "any", "all"}
	roles      = []string{"director", "witness"}
	logLevels  = []string{"trace", "debug", "info", "warn", "error"}
)

// span is the range of a number, both ends included.
type span struct{ min, max int64 }

var (
	vridSpan     = span{1, 255}
	markSpan     = span{1, 1<<32 - 1}
	weightSpan   = span{0, 65535} // what the netlink libraries carry
	portSpan     = span{1, 65535}
	countSpan    = span{1, 100}
	statusSpan   = span{100, 599}
	maskSpanIPv4 = span{1, 32}
	maskSpanIPv6 = span{1, 128}
)

// period is the range of a duration and its step.
type period struct{ min, max, step time.Duration }

var (
	advertPeriod  = period{10 * time.Millisecond, 40950 * time.Millisecond, 10 * time.Millisecond} // RFC 9568, section 5.2.7
	checkPeriod   = period{50 * time.Millisecond, 24 * time.Hour, time.Millisecond}
	timeoutPeriod = period{10 * time.Millisecond, 24 * time.Hour, time.Millisecond}
	persistPeriod = period{time.Second, 31 * 24 * time.Hour, time.Second} // the kernel counts seconds
)

// The defaults of the language. [WithDefaults] puts them in.
const (
	defaultScheduler      = "wlc"
	defaultForward        = fsm.NAT
	defaultProtocol       = fsm.TCP
	defaultAgreement      = fsm.Majority
	defaultWeight         = 1
	defaultAdvertInterval = time.Second
	defaultCheckInterval  = 2 * time.Second
	defaultCheckTimeout   = time.Second
	defaultRise           = 2
	defaultFall           = 2
	defaultPath           = "/"
)
