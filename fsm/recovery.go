package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// RecoveryGap is by how much a recovery raises the log's index and every group's epoch: by more than
// what the lost members can have agreed on since the survivor heard of them last. So nothing that they
// did is newer than what the recovered cluster does.
const RecoveryGap = 1 << 20

// Recovery says that a cluster was made anew from what one member had, when the others were lost for
// good. It is signed by the cluster's CA: who was left behind refuses to go on once it has seen it.
type Recovery struct {
	ClusterID  string    `json:"cluster_id"`
	Epoch      uint64    `json:"epoch"`       // of the cluster: 1 is init's
	Survivor   string    `json:"survivor"`    // name of the member whose data it was made from
	SurvivorID string    `json:"survivor_id"` // and its ID
	AsOf       uint64    `json:"as_of"`       // index of the last entry that it had
	Index      uint64    `json:"index"`       // from which the recovered cluster's log goes on
	At         time.Time `json:"at"`          // UTC, by the survivor's clock
	Signature  []byte    `json:"signature"`   // of Text, by the CA
}

// Text is what the signature is of.
func (r Recovery) Text() []byte {
	return fmt.Appendf(nil, "quorate-recovery/1\ncluster %s\nepoch %d\nsurvivor %s %s\nas of %d\nindex %d\nat %s\n",
		r.ClusterID, r.Epoch, r.SurvivorID, r.Survivor, r.AsOf, r.Index, r.At.UTC().Format(time.RFC3339Nano))
}

// Over reports whether a recovery ends what another began. Where a cluster was recovered twice side by
// side, the one that knew more counts; everybody who sees both sees it alike.
func (r *Recovery) Over(other *Recovery) bool {
	switch {
	case r == nil || other == nil:
		return r != nil
	case r.Epoch != other.Epoch:
		return r.Epoch > other.Epoch
	case r.AsOf != other.AsOf:
		return r.AsOf > other.AsOf
	case r.SurvivorID != other.SurvivorID:
		return r.SurvivorID > other.SurvivorID
	}
	return r.At.After(other.At)
}

// ClusterEpoch is how many lives the cluster has had: 1, and one more with each recovery.
func (s State) ClusterEpoch() uint64 {
	if s.Recovery == nil {
		return 1
	}
	return s.Recovery.Epoch
}

// Recovered returns the state that a recovered cluster begins with: of the members the survivor alone,
// the rest as former ones. The configuration and what was agreed about servers stay. Tokens do not: one
// may have been used in what was lost. Epochs of groups rise, owners stay the last ones.
func Recovered(s State, r Recovery, survivor Member) State {
	former := maps.Clone(s.Former)
	if former == nil {
		former = map[string]Member{}
	}
	for _, m := range s.Members {
		former[m.ID] = m
	}
	delete(former, survivor.ID)
	groups := maps.Clone(s.Groups)
	for name, g := range groups {
		g.Epoch += RecoveryGap
		g.Intent = nil
		g.Order = slices.DeleteFunc(slices.Clone(g.Order), func(n string) bool { return n != survivor.Name })
		groups[name] = g
	}
	s.Index, s.Recovery, s.Groups, s.Former = r.Index, &r, groups, former
	s.Members = map[string]Member{survivor.Name: survivor}
	s.secrets.Tokens = nil
	return s.Sealed()
}

// notFormer ends the calls to former members at an address: another member is there now.
func (s *State) notFormer(at Member) {
	kept := maps.Clone(s.Former)
	maps.DeleteFunc(kept, func(_ string, m Member) bool { return m.Address == at.Address })
	if len(kept) == 0 {
		kept = nil
	}
	s.Former = kept
}

// FormerNames are the names of the members that the last recoveries left behind, sorted.
func (s State) FormerNames() []string {
	var names []string
	for _, m := range s.Former {
		names = append(names, m.Name)
	}
	slices.SortFunc(names, strings.Compare)
	return slices.Compact(names)
}
