// Package probe asks a segment who answers for an address, by ARP (RFC 826) and neighbour solicitation
// (RFC 4861), past the host's own neighbour table.
//
// It promises that an answer is one that came after the question, over the interface that was asked; and that
// a [Watcher], which asks all the time, is woken by nothing but answers to it, follows an address to another
// MAC address and an interface that was away, and tells a question that could not be asked from one that was
// not answered. It never changes the neighbour table of this host, and never claims an address: what it sends
// carries the host's own.
package probe
