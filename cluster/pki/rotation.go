package pki

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/fsm"
)

// KeyStatus says how far a rotation is.
type KeyStatus struct {
	fsm.Rotation
	UnderWay bool
	Members  []KeyUse // by name

	// What ends with the former CA, or with the present one while none is former: certificates of people and programs, and
	// tokens that nobody has used. 0 of another key.
	Certificates, Tokens int
	Ends                 time.Time // the present CA, if nothing is done
}

// KeyUse is what a member says of its keys.
type KeyUse struct {
	Name    string
	Answers bool
	Halted  bool     // it answers, and takes no other keys: it cannot apply the log's next entry
	Uses    string   // ID of the key that it uses
	Takes   []string // IDs of the keys that it takes
}

// Without returns the names of the members that do not use the present key yet, and of those that do not before a person
// has done something: they do not answer, or are halted.
func (k KeyStatus) Without() (others, silent, halted []string) {
	for _, m := range k.Members {
		switch {
		case !m.Answers:
			silent = append(silent, m.Name)
		case m.Uses == k.Present:
		case m.Halted:
			halted = append(halted, m.Name)
		default:
			others = append(others, m.Name)
		}
	}
	return others, silent, halted
}

// Step is the step that may be taken now, or nil.
func (k KeyStatus) Step() fsm.Command {
	lacks := func(m KeyUse) bool { return m.Answers && !m.Halted && !slices.Contains(m.Takes, k.Next) }
	others, silent, halted := k.Without()
	switch {
	case k.Next != "" && !slices.ContainsFunc(k.Members, lacks):
		return fsm.TurnKey{What: k.What, To: k.Next}
	case k.Next == "" && k.Former != "" && len(others)+len(silent)+len(halted)+k.Certificates+k.Tokens == 0:
		return fsm.DropKey{What: k.What, Of: k.Former}
	}
	return nil
}

// InUse is what a node tells of the keys that it has in use.
type InUse struct {
	Gossip []string `json:"gossip"` // IDs; it sends with the first
	CA     string   `json:"ca"`     // that has signed its certificate
	Trusts []string `json:"trusts"` // CAs
	Halted bool     `json:"halted,omitempty"`
}

// Take notes what a member has said.
func (m *KeyUse) Take(what string, own InUse) {
	m.Answers, m.Halted = true, own.Halted
	if what == fsm.RotatesCA {
		m.Uses, m.Takes = own.CA, own.Trusts
		return
	}
	m.Takes = own.Gossip
	if len(own.Gossip) > 0 {
		m.Uses = own.Gossip[0]
	}
}

// Waits says why the former key is not dropped yet.
func (k KeyStatus) Waits() []string {
	why := k.Lacking()
	if hanging := k.Hanging(); hanging != "" {
		why = append(why, hanging)
	}
	return why
}

// Hanging says what ends with the former key, or nothing.
func (k KeyStatus) Hanging() string {
	if k.Certificates+k.Tokens == 0 {
		return ""
	}
	return fmt.Sprintf("certificates of people and programs end with it (%d), and tokens (%d)", k.Certificates, k.Tokens)
}

// Lacking says which members may need the former key, and why.
func (k KeyStatus) Lacking() []string {
	others, silent, halted := k.Without()
	var why []string
	if len(others) > 0 {
		why = append(why, "not "+k.Present+" is used by "+strings.Join(others, ", "))
	}
	if len(silent) > 0 {
		why = append(why, "no answer comes from "+strings.Join(silent, ", "))
	}
	if len(halted) > 0 {
		why = append(why, "an entry of the log cannot be applied on "+strings.Join(halted, ", "))
	}
	return why
}
