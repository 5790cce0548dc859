package agent

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster"
	"github.com/quorate/quorate/private"
)

// ours are the names of what quorate keeps in its data directory.
var ours = []string{"cluster", "cluster.*", "before-recovery-*", "keeper.json*", "ipvs.json*", "hooks.json*"}

// mayBeKnown is what there is to do where others could read what is in the data directory.
const mayBeKnown = "if anybody may have read it, `quorate leave` here and join again, then `quorate key rotate ca` and `quorate key rotate gossip`: see \"Keys that others may know\" in docs/operations.md"

// CloseData closes to other users what quorate keeps in a data directory, and says once what was open. It refuses one
// that belongs to another user, or in which something of that does: nobody knows whose keys and orders these are. What cannot be
// looked at it reports: whoever needs it will say so.
func CloseData(dir string, log hclog.Logger) error {
	open, err := private.Dir(dir, ours...)
	if errors.Is(err, private.ErrForeign) {
		return fmt.Errorf("data directory: %w", err)
	}
	if err != nil {
		log.Error("data directory: whether others can get at it is not known", "err", err)
	}
	if text := open.String(); text != "" && cluster.Exists(dir) {
		log.Warn(text, "then", mayBeKnown)
	} else if text != "" {
		log.Warn(text)
	}
	return nil
}

// CloseRecord closes to other users a keeper's record and the directory that it is in. An error says whose it is, so that
// it cannot be trusted. What cannot be looked at it reports: the record says by itself if it cannot be read or kept.
func CloseRecord(path string, log hclog.Logger) error {
	open, err := private.Dir(filepath.Dir(path), filepath.Base(path)+"*")
	if text := open.String(); text != "" {
		log.Warn(text)
	}
	if err != nil && !errors.Is(err, private.ErrForeign) {
		log.Error("the keeper's record: whether others can get at it is not known", "err", err)
		return nil
	}
	return err
}
