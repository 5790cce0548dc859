package agent

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/api"
	"github.com/quorate/quorate/director/placement"
	"github.com/quorate/quorate/fsm"
)

// outlook is where the policy of a group is about to have it moved, as its leader knows.
type outlook struct {
	To     string        `json:"to"`
	Reason string        `json:"reason"`
	In     time.Duration `json:"in"` // ns; as soon as it can be: 0
}

// outlooks are those of all groups that are to move, while this director leads.
type outlooks struct {
	mu      sync.Mutex
	at      time.Time
	byGroup map[string]outlook
}

// look takes what a leader knows at now.
func (o *outlooks) look(all []placement.Situation, now time.Time) {
	next := map[string]outlook{}
	for _, s := range all {
		if w := placement.Wished(s); w.To != "" {
			next[s.Group] = outlook{w.To, w.Reason, max(s.Placement.HoldFor()-s.Wished, 0)}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at, o.byGroup = now, next
}

// of is that of a group, nil if it is to stay or if this director has not led lately.
func (o *outlooks) of(group string, now time.Time) *outlook {
	o.mu.Lock()
	defer o.mu.Unlock()
	next, ok := o.byGroup[group]
	if !ok || now.Sub(o.at) > 2*reportEvery {
		return nil
	}
	next.In = max(next.In-now.Sub(o.at), 0)
	return &next
}

// ahead says in an explanation who could take the group now and who could not, where its policy would have it, and when it moves there.
func ahead(e *api.Explanation, p fsm.Placement, views []placement.View, words []word) {
	e.Cannot = []string{}
	for _, v := range views {
		if why := v.Unable(); why != "" && v.Name != e.Owner {
			e.Cannot = append(e.Cannot, why)
		}
	}
	e.Placement = policyWords(p)
	for _, w := range words {
		if w.Outlook != nil && e.Moving == "" {
			e.Wish, e.WishReason, e.WishIn = w.Outlook.To, w.Outlook.Reason, w.Outlook.In.Seconds()
		}
	}
}

// policyWords says a policy in words.
func policyWords(p fsm.Placement) string {
	if p.Policy == "" || p.Policy == fsm.Sticky {
		return "sticky: it stays where it is"
	}
	text := string(p.Policy)
	if len(p.Directors) > 0 {
		text += " to " + strings.Join(p.Directors, ", ")
	}
	return fmt.Sprintf("%s, holds for %v", text, p.HoldFor())
}

// able are those of the successors of a group that could take it now from its owner.
func able(order []string, owner string, views []placement.View) []string {
	out := []string{}
	for _, v := range order {
		i := slices.IndexFunc(views, func(w placement.View) bool { return w.Name == v })
		if v != owner && i >= 0 && views[i].Unable() == "" {
			out = append(out, v)
		}
	}
	return out
}

// reportedStop takes no other stop for known than what a report says, of which views know.
func reportedStop(string, time.Time) bool { return false }
