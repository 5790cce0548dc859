package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/fsm"
)

// Key is what the reader of a file asks of one key.
type Key struct {
	Name     string
	Type     string   // text, number, boolean, duration, list, address or network
	Default  string   // as it would be written; "" if it has none, or one that depends on others
	Range    string   // of a number or of words
	Required bool     // in all blocks, or in those of Kinds
	Kinds    []string // the kinds of block that it means something to; nil: all
}

// Block is what may stand in one kind of block. The outermost has no name.
type Block struct {
	Name   string
	Labels []string
	Kinds  []string // what its label may be, if that is a kind
	Label  string   // the key that computes the last label
	Many   bool     // for_each may stand there
	Open   bool     // any key may stand there
	Keys   []Key
	Blocks []Block
}

// ClusterReference describes the cluster file, from the code that reads it.
func ClusterReference() Block {
	all := newComputing(usual)
	all.facts = make(map[string]*Key)
	_, top := all.open("reference.hcl", skeleton(clusterSchema()), clusterSchema())
	all.locals([]*node{top})
	top.cluster(new(fsm.Config))
	return all.block(clusterSchema())
}

// AgentReference describes the agent file, from the code that reads it.
func AgentReference() Block {
	all := newNotes()
	all.facts = make(map[string]*Key)
	_, top := all.open("reference.hcl", skeleton(agentSchema()), agentSchema())
	top.agent()
	return all.block(agentSchema())
}

// kinds returns the kinds that the label of a block may name, and the keys of each kind.
func (s *schema) kinds() (kinds []string, keys map[string][]string) {
	switch s.name {
	case "check":
		return checkKinds, byText(checkKeys)
	case "auth":
		return authKinds, byText(authKeys)
	case "track":
		return trackKinds, byText(trackKeys)
	case "placement":
		return fsm.Policies, byText(placementKeys)
	}
	return nil, nil
}

// byText is a map of keys by the text of each kind.
func byText[K ~string](keys map[K][]string) map[string][]string {
	out := make(map[string][]string, len(keys))
	for kind, k := range keys {
		out[string(kind)] = k
	}
	return out
}

// skeleton is a file with one block of each kind in it, and no keys: whoever reads it asks for them all.
func skeleton(s *schema) []byte {
	var b strings.Builder
	for _, block := range s.blocks {
		kinds, _ := block.kinds()
		for i := range max(len(kinds), 1) {
			labels := slices.Repeat([]string{fmt.Sprintf("%s%d", block.name, i)}, len(block.labels))
			if len(kinds) > 0 {
				labels[0] = kinds[i]
			}
			fmt.Fprintf(&b, "%s {\n%s}\n", head(block.name, labels), skeleton(block))
		}
	}
	return []byte(b.String())
}

// block collects the facts about one kind of block.
func (all *notes) block(s *schema) Block {
	b := Block{Name: s.name, Labels: s.labels, Label: s.label, Many: s.many || s.label != "", Open: s.open}
	kinds, keys := s.kinds()
	b.Kinds = kinds
	for _, name := range s.keys {
		k := Key{Name: name}
		if fact := all.facts[s.name+" "+name]; fact != nil {
			k = *fact
		}
		for _, kind := range kinds {
			if slices.Contains(keys[kind], name) {
				k.Kinds = append(k.Kinds, kind)
			}
		}
		if len(k.Kinds) == len(kinds) {
			k.Kinds = nil
		}
		b.Keys = append(b.Keys, k)
	}
	for _, inner := range s.blocks {
		b.Blocks = append(b.Blocks, all.block(inner))
	}
	return b
}

// asks notes what the reader asks of a key, if the reference is being written.
func (n *node) asks(key, typ string, say func(k *Key)) {
	if n.facts == nil {
		return
	}
	name := n.schema.name + " " + key
	k := n.facts[name]
	if k == nil {
		k = &Key{Name: key}
		n.facts[name] = k
	}
	if typ != "" && k.Type != "list" {
		k.Type = typ
	}
	if say != nil {
		say(k)
	}
}

// words lists what a word may be.
func words(known []string) string {
	quoted := make([]string, len(known))
	for i, w := range known {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, ", ")
}
