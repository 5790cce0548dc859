// Package cluster makes the agents one group: membership, the Raft log, the certificates by which
// members know each other, and gossip as a hint of who is alive. It is the only package that knows
// which libraries do that.
//
// It promises that what [Node.Propose] confirmed is on the disks of a majority; that the state of a
// director that starts, quorum or not, is the state that it had applied (at most the last tenth of a
// second is missing), and that it never goes backwards; that an entry which cannot be applied stops
// the applying and nothing else; that the quorum changes by command only, and never to one that
// could agree on nothing, and otherwise by a recovery alone, after which who was left behind takes no
// part any more; that without a member's certificate nothing is answered but a token; that
// a member's certificate does not run out while a leader can be asked; and that the gossip key and the CA can be
// replaced while a member is away, after which nobody is known by the former ones.
//
// It never exits the process, never decides who owns an address, and never makes a cluster but in
// [Init] and [RecoverData]. Gossip never decides anything.
//
// Reading order: init.go and join.go for how a cluster comes about, node.go for how it lives,
// machine.go for how entries become state, propose.go for how entries come about, pipeline.go for how they are sent to members,
// lane.go and frames.go for what members ask each other in between, lead.go, leave.go
// and removed.go for how membership changes, renew.go for how long a certificate lasts,
// rotate.go, authority.go and trust.go for how the cluster's own keys are replaced, save.go for what is kept elsewhere,
// recover.go and fence.go for a cluster that is lost. Package pki has the certificates, and what a token is; package port the
// way between members; package logstore what is on disk for Raft; package hush keeps one message from filling the log.
package cluster
