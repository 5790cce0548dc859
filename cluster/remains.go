package cluster

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/fsm"
)

// Remains returns what can be read of the state in the data directory of a member that does not run, and may be damaged: its newest
// whole snapshot, and of the log behind it all until what cannot be read. As in a recovery, all of that counts. missing is why there
// may have been more, or nil. It takes no vote, and a lost one is nothing to it.
func Remains(dataDir string, log hclog.Logger) (saved fsm.Saved, missing, err error) {
	if !Exists(dataDir) {
		return saved, nil, fmt.Errorf("there is nothing in %s: its agent is in no cluster", dataDir)
	}
	l, err := takeLock(dataDir)
	if err != nil {
		return saved, nil, err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	dir := filepath.Join(dataDir, liveDir)
	s, noLog, err := logstore.Rest(dir, log)
	if err != nil {
		return saved, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m := newMachine(log)
	at, noSnapshot := m.replaySnapshot(s)
	missing = errors.Join(noLog, noSnapshot, m.follow(s, at, math.MaxUint64))
	if h := m.halted.Load(); h != nil {
		missing = errors.Join(missing, h)
	}
	state := *m.state.Load()
	record, err := logstore.OpenRecord(filepath.Join(dir, logstore.RecordFile))
	if err != nil {
		return saved, missing, err
	}
	if applied := record.Last(); state.Index < applied { // an agent that tried to start has made a log with nothing in it
		missing = errors.Join(missing, fmt.Errorf("what can be read leads to log entry %d, and %d was applied", state.Index, applied))
	}
	if err := record.Close(); err != nil {
		return saved, missing, err
	}
	if state.ClusterID == "" {
		return saved, missing, errors.Join(fmt.Errorf("nothing of the cluster's state in %s can be read", dir), missing)
	}
	saved = fsm.Saved{At: time.Now().UTC().Truncate(time.Second), Director: "unknown", Stale: true, State: state}
	if id, err := readIdentity(dir); err == nil {
		saved.Director = id.Name
	}
	return saved, missing, nil
}
