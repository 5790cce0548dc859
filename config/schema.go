package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// schema says what one kind of block may contain. It is data, so that the reader, the hints and the reference share it.
type schema struct {
	name   string
	labels []string // what the block's labels are
	keys   []string
	blocks []*schema
	open   bool   // any key may stand there
	many   bool   // for_each may stand there
	label  string // the key that computes the last label; it implies many

	body *hcl.BodySchema // in the form that the hcl package wants, once it was asked for
}

// hcl returns the schema in the form that the hcl package wants.
func (s *schema) hcl() *hcl.BodySchema {
	if s.body != nil {
		return s.body
	}
	h := new(hcl.BodySchema)
	s.body = h
	for _, k := range s.all() {
		h.Attributes = append(h.Attributes, hcl.AttributeSchema{Name: k})
	}
	for _, b := range s.blocks {
		h.Blocks = append(h.Blocks, hcl.BlockHeaderSchema{Type: b.name, LabelNames: b.labels})
	}
	return h
}

// all returns the keys, and those that [node.expand] reads.
func (s *schema) all() []string {
	keys := append([]string(nil), s.keys...)
	if s.label != "" {
		keys = append(keys, s.label)
	}
	if s.label != "" || s.many {
		keys = append(keys, forEach)
	}
	return keys
}

// known returns the names of keys and blocks.
func (s *schema) known() []string {
	names := s.all()
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
	s := &schema{blocks: []*schema{
		{name: "sync_group", labels: []string{"name"}, keys: []string{"routers", "on_quorum_loss", "on_segment_cut"}, blocks: append(placementSchemas(), needsSchemas()...)},
		routerSchema(),
		{name: "track", labels: []string{"kind", "name"}, keys: allTrackKeys},
		serviceSchema(),
		{name: "locals", open: true},
	}}
	return s.repeatable()
}

// repeatable allows for_each in all blocks of which there may be several. In these the last label can be computed by a key of
// the label's name, unless the label is a kind, which decides how the block is read.
func (s *schema) repeatable() *schema {
	for _, b := range s.blocks {
		last := len(b.labels) - 1
		switch {
		case b.open, b.name == "auth", b.name == "placement":
		case b.name == "fallback":
			b.label = "address"
		case last < 0 || b.labels[last] == "kind":
			b.many = true
		default:
			b.label = b.labels[last]
		}
		b.repeatable()
	}
	return s
}

func agentSchema() *schema {
	return &schema{
		keys: []string{
			"name", "data_dir", "bind", "gossip", "socket", "socket_group", "operator_group", "admin_group", "keeper_socket",
			"role", "prepare_host", "sync_interface", "heartbeat", "liveness", "raise_level_after", "log_level",
		},
		blocks: []*schema{
			{name: "interfaces", open: true},
			{name: "join", keys: []string{"address", "token", "token_file"}},
		},
	}
}

// The values that a word may have, as a person writes them.
var (
	families  = []string{"ipv4", "ipv6"}
	roles     = []string{"director", "witness"}
	logLevels = []string{"trace", "debug", "info", "warn", "error"}
)

// span is the range of a number, both ends included.
type span struct{ min, max int64 }

var countSpan = span{1, 100} // of results in a row

// period is the range of a duration and its step.
type period struct{ min, max, step time.Duration }
