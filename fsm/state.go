// Package fsm is what the cluster agrees on: the model, the commands that change it, and the state
// that they lead to. The same commands in the same order give the same state on every director;
// that is the whole promise, and all else in quorate leans on it.
//
// A reader starts here, then with types.go for the model and command.go for the log's entries.
//
// The package imports only the standard library. It reads no clock, does no I/O, logs nothing, and
// depends on no map order: time and chance are fields of commands, chosen by who proposes them.
package fsm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// State is the replicated state after the log entry Index. It is immutable to readers: [Apply]
// makes a new one that shares what did not change.
type State struct {
	Index     uint64               `json:"index"` // of the last entry applied, refused ones included
	ClusterID string               `json:"cluster_id"`
	Level     int                  `json:"level"`    // feature level
	Revision  uint64               `json:"revision"` // of the configuration; 0 before the first apply
	Config    Config               `json:"config"`
	Verdicts  Verdicts             `json:"verdicts,omitzero"`
	Members   map[string]Member    `json:"members,omitempty"` // by name
	Groups    map[string]Ownership `json:"groups,omitempty"`  // by the name of the group

	History []Past `json:"history,omitempty"` // of the configuration, oldest first; the last is of Revision
	Trial   *Trial `json:"trial,omitempty"`   // of Revision, until it is confirmed

	Requests  Requests `json:"requests,omitzero"`   // the newest that took effect, oldest first
	Forgotten uint64   `json:"forgotten,omitempty"` // index of the last one that is not among them any more

	Recovery *Recovery         `json:"recovery,omitempty"` // the last one; nil for a cluster that never was lost
	Former   map[string]Member `json:"former,omitempty"`   // by ID: who was left behind and does not know it yet

	Ended []Ended `json:"ended,omitempty"` // the newest memberships and tokens that were ended, oldest first

	secrets Secrets // unexported, so that no encoder of a State can show them

	kept *kept // what Apply kept; nil: not known. See sum.go
}

// Empty is the state before the first entry.
var Empty = State{}

// Secrets returns the part of the state that must not be shown. Callers must not change it.
func (s State) Secrets() Secrets { return s.secrets }

// Verdict returns what the cluster agreed about a real server; [Unknown] if nothing yet.
func (s State) Verdict(k ServerKey) Verdict {
	if v, ok := s.Verdicts.Of(k); ok {
		return v
	}
	return Verdict{Health: Unknown}
}

// Groups returns the configuration's groups, sorted by name: every sync group, and every router
// that is in none.
func (c Config) Groups() []Group {
	grouped := map[string]bool{}
	var groups []Group
	for _, name := range slices.Sorted(maps.Keys(c.SyncGroups)) {
		g := Group{Name: name, Needs: c.SyncGroups[name].Needs, Placement: c.SyncGroups[name].Placement}
		for _, r := range c.SyncGroups[name].Routers {
			grouped[r] = true
			g.Routers = append(g.Routers, c.Routers[r])
			g.Needs = g.Needs.and(c.Routers[r].Needs)
		}
		groups = append(groups, g)
	}
	for name, r := range c.Routers {
		if !grouped[name] {
			groups = append(groups, Group{Name: name, Routers: []Router{r}, Needs: r.Needs, Placement: r.Placement})
		}
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return groups
}

// Hash returns a number, in hex, of everything in the state, secrets included. Two directors with the same
// Index must have the same Hash. From [LevelSum] on it is the sum that [Apply] kept, and costs nothing; before that it
// is the SHA-256 of the state's text: members of an older version, which know no sum, compute that at level 1 and 2.
func (s State) Hash() string {
	if s.Level >= LevelSum {
		return s.summed().total.String()
	}
	sum := sha256.Sum256(s.encode())
	return hex.EncodeToString(sum[:])
}

// stored is a State with its secrets, as snapshots hold it.
type stored struct {
	State
	Secrets Secrets `json:"secrets"`
}

// encode gives one text for one state: encoding/json sorts the keys of maps.
func (s State) encode() []byte {
	b, err := json.Marshal(stored{State: s, Secrets: s.secrets})
	if err != nil {
		panic("fsm: state cannot be encoded: " + err.Error()) // only types that always encode are in it
	}
	return b
}
