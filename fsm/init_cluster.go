package fsm

import (
	"errors"
	"maps"
)

// InitCluster is the first command of a cluster: its identity, its secrets, its first member.
type InitCluster struct {
	ClusterID string
	Level     int
	Secrets   Secrets
	Member    Member
}

func (InitCluster) kind() string { return "init-cluster/1" }

func (c InitCluster) apply(s State) (State, []Change, error) {
	switch {
	case s.ClusterID == c.ClusterID:
		return s, nil, nil // init was run again
	case s.ClusterID != "":
		return s, nil, errors.New("there is a cluster already")
	}
	s.ClusterID, s.Level, s.secrets = c.ClusterID, c.Level, c.Secrets
	s.secrets.Tokens = maps.Clone(c.Secrets.Tokens)
	s.Members = map[string]Member{c.Member.Name: c.Member}
	return s, []Change{{MemberChanged, c.Member.Name, "cluster made by " + c.Member.Name}}, nil
}
