// Package host sees to what a configuration needs of this host: kernel settings and modules.
//
// It promises that each need has a reason, that each is reported as it was found and left, that one
// that cannot be met does not stop the others, that a second run changes nothing, and that nothing
// here takes longer than its deadline.
//
// It sets nothing that the configuration does not ask for, never sets anything back or unloads
// anything (others may rely on it by now), writes no file that outlives a reboot, and leaves alone
// what has a good default or a price: conntrack of IPVS, rp_filter, arp_ignore and arp_announce.
// A director with tunnelled real servers needs no tunnel device: IPVS builds those packets itself.
// Settings of the network are those of the network namespace in which the process was started.
package host
