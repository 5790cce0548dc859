package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// schema is what may stand in one kind of block. It is data, so that the reader, the hints and the
// test of the reference in docs share it.
type schema struct {
	name   string
	labels []string // what the block's labels are
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
		h.Blocks = append(h.Blocks, hcl.BlockHeaderSchema{Type: b.name, LabelNames: b.labels})
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
		{name: "sync_group", labels: []string{"name"}, keys: []string{"routers", "on_quorum_loss"}, blocks: append(placementSchemas(), needsSchemas()...)},
		routerSchema(),
		{name: "track", labels: []string{"kind", "name"}, keys: allTrackKeys},
		serviceSchema(),
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
