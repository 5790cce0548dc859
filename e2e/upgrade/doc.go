// Package upgrade holds the proof of rolling upgrades on real IPVS: a cluster of the level before is upgraded one director
// after another, one of them goes back half-way, and clients and configuration notice nothing. It takes minutes, so that
// `make proofs` alone runs it.
package upgrade
