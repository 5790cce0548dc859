package agent

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/private"
)

// ours are the names of what quorate keeps in its data directory.
var ours = []string{"cluster", "cluster.*", "before-recovery-*", "keeper.json*", "ipvs.json*", "hooks.json*"}

// mayBeKnown is what there is to do where others could read what is in the data directory.
const mayBeKnown = "if anybody may have read it, `quorate leave` here and join again, then `quorate key rotate ca` and `quorate key rotate gossip`: see \"Keys that others may know\" in docs/operations.md"

// CloseData closes to other users what quorate keeps in a data directory, and says once what was open. It refuses one
// that belongs to another user, or in which something of that does: nobody knows whose keys and orders these are.
func CloseData(dir string, log hclog.Logger) error {
	open, err := private.Dir(dir, ours...)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if text := open.String(); text != "" && cluster.Exists(dir) {
		log.Warn(text, "then", mayBeKnown)
	} else if text != "" {
		log.Warn(text)
	}
	return nil
}
