package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
)

// ErrNotLost means that a cluster was not recovered, since it is not lost.
var ErrNotLost = errors.New("the cluster is not lost")

// keptBefore is the name of the file in the data directory that keeps what a recovery began with.
const keptBefore = "before-recovery-%d.state"

// RecoverData makes a new cluster of one member from what the member with this data directory had of the
// old one, and nobody else has its say. No node may be open there. All that is in its log counts: an entry
// that nobody else can confirm any more may have been confirmed once.
//
// The new cluster is there from the instant in which its snapshot is renamed into place; whatever was cut
// off before that has changed nothing, and what comes after is done at the next start. The old one's
// authority, identity and configuration go on; its epoch rises.
func RecoverData(cfg Config, progress func(string)) (r fsm.Recovery, err error) {
	cfg, err = cfg.checked()
	if err != nil {
		return r, err
	}
	l, err := takeLock(cfg.DataDir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if !Exists(cfg.DataDir) {
		return r, errors.New("there is nothing to recover: this agent is in no cluster")
	}
	dir := filepath.Join(cfg.DataDir, liveDir)
	if _, err := os.Stat(filepath.Join(dir, fenceFile)); err == nil {
		return r, errors.New("a recovery elsewhere has left this director behind: `quorate leave` here, then join again")
	}
	id, err := readIdentity(dir)
	if err != nil {
		return r, err
	}
	s, err := logstore.Open(dir, cfg.Log)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	old, last, err := everything(s, cfg.Log)
	if err != nil {
		return r, err
	}
	next, err := survive(cfg, id, old, last)
	if err != nil {
		return r, err
	}
	if err := keepBefore(cfg, old); err != nil {
		return r, err
	}
	cfg.step("kept")
	only := raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(id.ID), Address: raftAddress(id.ID, cfg.Bind)}
	if err := begin(s, next, only, cfg.step); err != nil {
		return r, err
	}
	cfg.step("begun")
	progress(fmt.Sprintf("cluster epoch %d begins with %s alone, as of log entry %d", next.Recovery.Epoch, cfg.Name, next.Recovery.AsOf))
	if err := forget(s, next.Recovery); err != nil {
		return r, err
	}
	cfg.step("forgotten")
	return *next.Recovery, recordAt(dir, next.Index)
}

// everything is the state after all that is in the log, and the last entry's place in it.
func everything(s *logstore.Store, log hclog.Logger) (fsm.State, uint64, error) {
	m := newMachine(log)
	if _, err := m.replayAtRest(s, math.MaxUint64); err != nil {
		return fsm.State{}, 0, err
	}
	last, err := s.Bare.LastIndex()
	if err != nil {
		return fsm.State{}, 0, fmt.Errorf("read the log: %w", err)
	}
	state := *m.state.Load()
	if h := m.halted.Load(); h != nil {
		return state, state.Index, nil // what follows cannot be applied anywhere
	}
	return state, max(last, state.Index), nil
}

// survive is the state that the new cluster begins with.
func survive(cfg Config, id pki.Identity, old fsm.State, last uint64) (fsm.State, error) {
	self, ok := old.Members[id.Name]
	switch {
	case old.ClusterID == "":
		return old, errors.New("there is nothing to recover: the log never came to this director")
	case !ok || self.ID != id.ID:
		return old, fmt.Errorf("this director's own log says that %s is %w: recover on one that is a member", id.Name, ErrRemoved)
	}
	if err := cfg.supports(old.Level); err != nil {
		return old, err
	}
	self.Address, self.Gossip = cfg.Bind, cfg.Gossip
	r := fsm.Recovery{
		ClusterID: old.ClusterID, Epoch: old.ClusterEpoch() + 1, Survivor: id.Name, SurvivorID: id.ID,
		AsOf: old.Index, Index: last + fsm.RecoveryGap, At: time.Now().UTC(),
	}
	r, err := sign(r, old.Secrets().CAKey)
	if err != nil {
		return old, err
	}
	return fsm.Recovered(old, r, self), nil
}

// keepBefore writes the state that a recovery begins with into a file of its own.
func keepBefore(cfg Config, old fsm.State) error {
	text, err := fsm.Saved{At: time.Now().UTC(), Director: cfg.Name, Version: cfg.Version, Stale: true, State: old}.Encode()
	if err == nil {
		err = durable.Write(filepath.Join(cfg.DataDir, fmt.Sprintf(keptBefore, old.Index)), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the state before the recovery: %w; nothing was changed", err)
	}
	return nil
}

// begin writes the snapshot that the new cluster begins with: after all of the log, in the newest term.
func begin(s *logstore.Store, state fsm.State, only raft.Server, step func(string)) error {
	term, err := s.Term()
	if err != nil {
		return fmt.Errorf("read the term: %w", err)
	}
	_, codec := raft.NewInmemTransport("") // it only writes the server's address down
	sink, err := s.Snapshots.Create(raft.SnapshotVersionMax, state.Index, max(term, 1), raft.Configuration{Servers: []raft.Server{only}}, state.Index, codec)
	if err != nil {
		return fmt.Errorf("write the new cluster's state: %w; nothing was changed", err)
	}
	step("beginning")
	if err := (snapshot{&state}).Persist(sink); err != nil {
		return fmt.Errorf("write the new cluster's state: %w; nothing was changed", err)
	}
	return nil
}

// forget removes what is left of the log and the snapshots from before a recovery: a new member is not to
// get entries of which the last ones were agreed by others.
func forget(s *logstore.Store, r *fsm.Recovery) error {
	if r == nil {
		return nil
	}
	first, err := s.Bare.FirstIndex()
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	if first != 0 && first < r.Index {
		last, err := s.Bare.LastIndex()
		if err == nil {
			err = s.Bare.DeleteRange(first, min(last, r.Index-1))
		}
		if err != nil {
			return fmt.Errorf("remove the log from before the recovery: %w", err)
		}
	}
	if err := s.Snapshots.RemoveBefore(r.Index); err != nil {
		return fmt.Errorf("remove what is from before the recovery: %w", err)
	}
	return nil
}

// recordAt records what was applied, as a start would find it.
func recordAt(dir string, index uint64) error {
	r, err := logstore.OpenRecord(filepath.Join(dir, logstore.RecordFile))
	if err != nil {
		return err
	}
	return errors.Join(r.Write(index), r.Sync(), r.Close())
}

// Survey is what a survivor knows before it recovers a cluster.
type Survey struct {
	Name     string         `json:"name"` // of the survivor
	Quorum   bool           `json:"quorum"`
	Leader   string         `json:"leader"`
	AsOf     uint64         `json:"as_of"` // index of the last entry in its log
	Written  time.Time      `json:"written,omitzero"`
	Revision uint64         `json:"revision"`
	Epoch    uint64         `json:"epoch"` // of the cluster
	Halted   string         `json:"halted,omitempty"`
	Members  []SurveyMember `json:"members"` // the others
	Recovery *fsm.Recovery  `json:"recovery,omitempty"`
}

// SurveyMember is another member, and whether it is lost.
type SurveyMember struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Answers bool   `json:"answers"`
	Index   uint64 `json:"index,omitempty"`  // that it has applied
	Quorum  bool   `json:"quorum,omitempty"` // it says that there is one
	Why     string `json:"why,omitempty"`    // it is there, and tells nothing of itself
	Apart   bool   `json:"apart,omitempty"`  // it may have a quorum without the survivor, which is no member to it, or not to be asked
	Owns    string `json:"owns,omitempty"`   // the group as whose owner it is heard: its agent may not run, and its host is not off
}

// Survey asks all members whether they are there.
func (n *Node) Survey(ctx context.Context) (Survey, error) {
	if err := n.Removed(); err != nil {
		return Survey{}, err
	}
	s, last, ahead, err := n.ahead()
	for tries := 0; tries < 2 && (errors.Is(err, raft.ErrLogNotFound) || errors.Is(err, errCompacted)); tries++ { // Raft cut it off meanwhile
		s, last, ahead, err = n.ahead()
	}
	if err != nil {
		return Survey{}, err
	}
	v := Survey{
		Name: n.id.Name, Quorum: n.Quorum(), Leader: n.Leader(), AsOf: max(last, s.Index), Revision: ahead.state.Load().Revision,
		Epoch: s.ClusterEpoch(), Recovery: s.Recovery, Members: askTwice(ctx, 3*n.cfg.Heartbeat, n.askAll),
	}
	var entry raft.Log
	if n.store.Bare.GetLog(last, &entry) == nil {
		v.Written = entry.AppendedAt.UTC()
	}
	if h := n.Halted(); h != nil {
		v.Halted = h.Error()
	} else if h := ahead.halted.Load(); h != nil {
		v.Halted = h.Error()
	}
	return v, nil
}

// ahead returns this node's state, the last entry of its log, and a machine that has applied all of that: a recovery counts what
// nobody has said to be agreed, too.
func (n *Node) ahead() (s *fsm.State, last uint64, m *machine, err error) {
	s = n.State()
	if last, err = n.store.Bare.LastIndex(); err != nil {
		return nil, 0, nil, fmt.Errorf("read the log: %w", err)
	}
	m = newMachine(hclog.NewNullLogger())
	m.state.Store(s)
	return s, last, m, m.follow(n.store, s.Index, last)
}

// Answering are the names of the others that answer.
func (v Survey) Answering() []string {
	var names []string
	for _, m := range v.Members {
		if m.Answers {
			names = append(names, m.Name)
		}
	}
	return names
}

// Done reports whether this survivor has recovered the cluster already, and needs nobody for a quorum.
func (v Survey) Done() bool {
	return v.Recovery != nil && v.Recovery.Survivor == v.Name && (v.Quorum || len(v.Members) == 0)
}

// Refusal says why a cluster is not to be recovered, or is nil. Only force overrules that some members
// answer, or are heard as owners; that there is a quorum nothing overrules.
func (v Survey) Refusal(force bool) error {
	all, answer := len(v.Members)+1, len(v.Answering())+1
	numbers := fmt.Sprintf("of %d members %d answer", all, answer)
	if answer > 1 {
		numbers += " (" + strings.Join(v.Answering(), ", ") + " beside this one)"
	}
	if all == 1 {
		return fmt.Errorf("%w: %s is its only member, and nobody else is needed", ErrNotLost, v.Name)
	}
	if v.Quorum {
		return fmt.Errorf("%w: %s, %s leads, and %d are enough to agree: end the membership of who is gone with `quorate remove NAME`", ErrNotLost, numbers, v.Leader, all/2+1)
	}
	if err := v.elsewhere(numbers); err != nil {
		return err
	}
	if force {
		return nil
	}
	for _, m := range v.Members {
		if m.Owns != "" && !m.Answers {
			return fmt.Errorf("%w: %s, but %s is heard as the owner of %s: its host is not off, and its agent may be cut off or stopped for a while. If it is lost for good all the same, stop its keeper first, or force it (--force); it has to join again then",
				ErrNotLost, numbers, m.Name, m.Owns)
		}
	}
	if answer == 1 {
		return nil
	}
	for _, m := range v.Members {
		if m.Answers && m.Index > v.AsOf {
			return fmt.Errorf("%w: %s; %s knows log entry %d, this one %d: recover there, if the others are lost for good", ErrNotLost, numbers, m.Name, m.Index, v.AsOf)
		}
	}
	if mute := v.mute(); len(mute) > 0 {
		numbers += "; " + strings.Join(mute, "; ")
	}
	return fmt.Errorf("%w: %s, %d must reach each other to agree: bring one back. If the rest is lost for good, stop the agent of %s first, or force it (--force); it has to join again then",
		ErrNotLost, numbers, all/2+1, strings.Join(v.Answering(), ", "))
}

// elsewhere refuses where the others have a quorum without the survivor, or may have one: those to whom it is no
// member, or that it cannot ask for a certificate, are enough for it. It is no matter of force.
func (v Survey) elsewhere(numbers string) error {
	for _, m := range v.Members {
		if m.Quorum {
			return fmt.Errorf("%w: %s, and %s says that they have a quorum: it is %s that is cut off", ErrNotLost, numbers, m.Name, v.Name)
		}
	}
	var apart []string
	for _, m := range v.Members {
		if m.Apart {
			apart = append(apart, m.Name+": "+m.Why)
		}
	}
	enough := (len(v.Members)+1)/2 + 1
	if len(apart) < enough {
		return nil
	}
	return fmt.Errorf("%w: %s, and %d are enough for a quorum of their own: mend why they cannot be asked, or stop their agents first if they are to be given up: %s",
		ErrNotLost, numbers, enough, strings.Join(apart, "; "))
}

// mute are those that are there and tell nothing of themselves, and why.
func (v Survey) mute() (names []string) {
	for _, m := range v.Members {
		if m.Answers && m.Why != "" {
			names = append(names, m.Name+": "+m.Why)
		}
	}
	return names
}
