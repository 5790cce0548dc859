package agent

import (
	"cmp"
	"slices"
	"sync"

	"github.com/quorate/quorate/fsm"
)

// regrouped remembers who owned which router before the configuration changed last: a sync group that is made or dissolved makes
// other groups, of which the log knows no owner, of routers that run on where they are. Every director does, since another may
// lead by the time that the log is told whose they are now.
type regrouped struct {
	mu     sync.Mutex
	owners map[string]string // by router
}

// note remembers who owned the routers of prev, which another configuration follows. Of one that waits for an owner since the
// change before it is who owned it then.
func (r *regrouped) note(prev *fsm.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	owners := map[string]string{}
	for _, g := range prev.Config.Groups() {
		for _, x := range g.Routers {
			owners[x.Name] = cmp.Or(prev.Groups[g.Name].Owner, r.owners[x.Name])
		}
	}
	r.owners = owners
}

// before returns who owned the routers of a group, each once.
func (r *regrouped) before(g fsm.Group) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range g.Routers {
		if owner := r.owners[x.Name]; owner != "" && !slices.Contains(names, owner) {
			names = append(names, owner)
		}
	}
	return names
}
