// Package imported holds that what keepalived or ldirectord did by its file, quorate does by the cluster file that was
// imported from it: both run, each on a network of its own with the same hosts, the same happens to both, and the kernels
// have the same tables, and beside keepalived the same addresses, routes and rules. Both of the others are what Debian
// has; ldirectord is unpacked, and not installed. It takes minutes on a busy machine, so that `make proofs` and
// `make proof-import` alone run it.
package imported
