package cluster

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/fsm"
)

// replay brings the machine to what this director had applied, from its own snapshot and log and
// without a word to anybody. upTo was applied once, so it was agreed; nothing beyond it is touched. It returns the
// place of the snapshot that it began with: Raft, which tries the same ones, begins there too.
func (m *machine) replay(s *logstore.Store, upTo uint64) (snapshot uint64, err error) {
	if snapshot, err = m.replaySnapshot(s); err != nil {
		return 0, err
	}
	return snapshot, m.follow(s, snapshot, upTo)
}

// errCompacted means that the log does not begin where the snapshot ends. While Raft runs it may have made another
// snapshot and removed what that holds.
var errCompacted = errors.New("the log begins behind it")

// replayAtRest is replay while nobody else uses the log.
func (m *machine) replayAtRest(s *logstore.Store, upTo uint64) (snapshot uint64, err error) {
	snapshot, err = m.replay(s, upTo)
	if errors.Is(err, errCompacted) {
		err = s.Damaged("replay the log", err)
	}
	return snapshot, err
}

// follow applies what is in the log after an entry, up to another.
func (m *machine) follow(s *logstore.Store, from, upTo uint64) error {
	last, err := s.Bare.LastIndex()
	if err != nil {
		return fmt.Errorf("replay log: %w", err)
	}
	for index := from + 1; index <= min(upTo, last); index++ {
		var l raft.Log
		if err := s.Bare.GetLog(index, &l); err != nil {
			what := fmt.Sprintf("replay log entry %d of %d", index, min(upTo, last))
			if first, failed := s.Bare.FirstIndex(); failed == nil && index < first && errors.Is(err, raft.ErrLogNotFound) {
				return fmt.Errorf("%s: %w", what, errCompacted)
			}
			return s.Damaged(what, err)
		}
		if l.Type != raft.LogCommand {
			continue
		}
		if _, halted := m.Apply(&l).(*HaltError); halted {
			break
		}
	}
	return nil
}

// replaySnapshot restores the newest snapshot that can be read and returns its place in the log.
func (m *machine) replaySnapshot(s *logstore.Store) (uint64, error) {
	metas, err := s.Snapshots.List()
	if err != nil {
		return 0, fmt.Errorf("list snapshots: %w", err)
	}
	var last error
	for _, meta := range metas {
		_, r, err := s.Snapshots.Open(meta.ID)
		if err == nil {
			err = m.Restore(r)
		}
		if err == nil {
			return meta.Index, nil
		}
		last = err
		if errors.Is(err, errUnsupported) { // it is whole, and one before it has less
			return 0, err
		}
		m.log.Error("snapshot cannot be used, trying the one before it", "snapshot", meta.ID, "err", err)
	}
	if last != nil {
		return 0, s.Damaged("no snapshot of this director can be used, the last reason", last)
	}
	return 0, nil
}

// differences names what a snapshot changed, as the entries would have, that it stands for.
func differences(prev, next *fsm.State) []fsm.Change {
	const how = " (received with a snapshot)"
	var changes []fsm.Change
	if prev.Revision != next.Revision {
		changes = append(changes, fsm.Change{Kind: fsm.ConfigChanged, Text: fmt.Sprintf("configuration is at revision %d%s", next.Revision, how)})
	}
	for _, name := range differing(prev.Members, next.Members, sameMember) {
		changes = append(changes, fsm.Change{Kind: fsm.MemberChanged, Name: name, Text: "membership of " + name + " changed" + how})
	}
	for _, name := range differing(prev.Groups, next.Groups, sameOwnership) {
		g := next.Groups[name]
		changes = append(changes, fsm.Change{Kind: fsm.OwnerChanged, Name: name, Text: fmt.Sprintf("%s is owned by %q in epoch %d%s", name, g.Owner, g.Epoch, how)})
	}
	for _, what := range rotates {
		was, _ := prev.Secrets().Rotation(what)
		if is, _ := next.Secrets().Rotation(what); is != was {
			changes = append(changes, fsm.Change{Kind: fsm.KeyChanged, Text: is.String() + how})
		}
	}
	same := func(a, b fsm.Verdict) bool { return a == b }
	keys := map[string]fsm.ServerKey{}
	for _, m := range []fsm.Verdicts{prev.Verdicts, next.Verdicts} {
		for k := range m.All() {
			keys[k.String()] = k
		}
	}
	for _, text := range slices.Sorted(maps.Keys(keys)) {
		if v := next.Verdict(keys[text]); !same(prev.Verdict(keys[text]), v) {
			changes = append(changes, fsm.Change{Kind: fsm.VerdictChanged, Name: text, Text: fmt.Sprintf("%s is %s%s", text, v.Health, how)})
		}
	}
	return changes
}

func differing[V any](a, b map[string]V, same func(a, b V) bool) []string {
	var names []string
	for name, v := range a {
		if w, ok := b[name]; !ok || !same(v, w) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func sameMember(a, b fsm.Member) bool {
	x, y := a, b
	x.Sources, y.Sources = nil, nil
	return slices.Equal(a.Sources, b.Sources) && fmt.Sprint(x) == fmt.Sprint(y)
}

func sameOwnership(a, b fsm.Ownership) bool {
	return a.Owner == b.Owner && a.Epoch == b.Epoch && slices.Equal(a.Order, b.Order) && (a.Intent == nil) == (b.Intent == nil)
}
