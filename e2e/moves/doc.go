// Package moves holds the proofs of who owns an address and who agrees, on real IPVS: an owner that dies, is drained
// or leaves, a change on any director, a quorum or a control that is gone. Its sub-packages run them: holds with the
// product, fails with builds in which the promise is switched off. They are two, so that two guests run side by side.
package moves
