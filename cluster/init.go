package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"

	"github.com/quorate/quorate/cluster/hush"
	"github.com/quorate/quorate/cluster/logstore"
	"github.com/quorate/quorate/cluster/pki"
	"github.com/quorate/quorate/cluster/port"
	"github.com/quorate/quorate/durable"
	"github.com/quorate/quorate/fsm"
)

// firstCommand is the index of a cluster's first command; before it is Raft's configuration.
const firstCommand = 2

// Init makes a cluster with this agent as its only member. Everything is built beside its place and
// put there in one step: an Init that was cut off has done nothing, and can be run again. It refuses
// if this agent is in a cluster already.
func Init(ctx context.Context, cfg Config) (err error) {
	cfg, err = cfg.checked()
	if err != nil {
		return err
	}
	l, err := takeLock(cfg.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	if Exists(cfg.DataDir) {
		return alreadyIn(cfg.DataDir)
	}
	if err := portsFree(cfg); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(cfg.DataDir, initDir)); err != nil {
		return fmt.Errorf("remove what an init before has left: %w", err)
	}
	dir, err := makeDir(cfg.DataDir, initDir)
	if err != nil {
		return err
	}
	if err := buildFirst(dir, cfg); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return install(cfg.DataDir, initDir)
}

// alreadyIn says which cluster the data directory is of.
func alreadyIn(dataDir string) error {
	id, err := readIdentity(filepath.Join(dataDir, liveDir))
	if err != nil {
		return err
	}
	return fmt.Errorf("this agent is director %s of cluster %s already: `quorate status` shows it, `quorate leave` ends it", id.Name, id.ClusterID)
}

// portsFree reports whether a node could be opened after this.
func portsFree(cfg Config) error {
	if err := port.TryCluster(cfg.Bind); err != nil {
		return err
	}
	return port.TryGossip(cfg.Gossip)
}

// buildFirst writes everything that the first member of a cluster has.
func buildFirst(dir string, cfg Config) error {
	now := time.Now()
	id := pki.Identity{ClusterID: uuid.NewString(), Name: cfg.Name, ID: uuid.NewString(), Admitted: firstCommand}
	caCert, caKey, err := pki.NewCA(id.ClusterID, now)
	if err != nil {
		return err
	}
	key, keyText, err := pki.NewKey()
	if err != nil {
		return err
	}
	cert, err := pki.SignMember(caCert, caKey, key.Public(), id, now, now.Add(cfg.CertificateLife))
	if err != nil {
		return err
	}
	for _, f := range []struct { // in one order, so that what is found of one run is true of all
		name string
		text []byte
	}{{pki.CAFile, caCert}, {pki.KeyFile, keyText}, {pki.CertFile, cert}} {
		if err := durable.Write(filepath.Join(dir, f.name), f.text, 0o600); err != nil {
			return err
		}
	}
	first := fsm.InitCluster{
		ClusterID: id.ClusterID,
		Level:     cfg.MaxLevel,
		Secrets:   fsm.Secrets{CACert: caCert, CAKey: caKey, GossipKey: newGossipKey()},
		Member:    cfg.member(id.ID),
	}
	if err := buildLog(dir, cfg, id, first); err != nil {
		return err
	}
	if err := durable.Write(filepath.Join(dir, logstore.RecordFile), []byte(logstore.FormatRecord(firstCommand)), 0o600); err != nil {
		return err
	}
	return writeIdentity(dir, id)
}

// buildLog writes the log of a new cluster: Raft's configuration and the first command. What the
// only voter has in its log is agreed.
func buildLog(dir string, cfg Config, id pki.Identity, first fsm.Command) (err error) {
	entry, err := fsm.Encode(first)
	if err != nil {
		return err
	}
	s, err := logstore.Open(dir, cfg.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(id.ID)
	c.Logger = hush.Logger(cfg.Log)
	self := raft.Server{Suffrage: raft.Voter, ID: c.LocalID, Address: raftAddress(id.ID, cfg.Bind)}
	// Written without the store's patience: an init that cannot write fails.
	if err := raft.BootstrapCluster(c, s.Bare, s.Bare, s.Snapshots, nil, raft.Configuration{Servers: []raft.Server{self}}); err != nil {
		return fmt.Errorf("begin log: %w", err)
	}
	if err := s.Bare.StoreLog(&raft.Log{Index: firstCommand, Term: 1, Type: raft.LogCommand, Data: entry}); err != nil {
		return fmt.Errorf("write first log entry: %w", err)
	}
	return nil
}
