// Package lab is a network of machines for tests: hosts, wires, real servers and clients, on a kernel
// with IPVS, on any Linux machine.
//
// Where the machine's own kernel has IPVS, and its user is root, the hosts are network namespaces in
// namespaces of the lab's own. Where it has not, [Main] boots user-mode-linux, a real kernel that is an
// ordinary process, with the running test binary in it; the machine's files are the guest's root, read
// only. Tests cannot tell the difference. [MainHost] does without IPVS, and so without a guest.
//
// A test draws its network, starts real programs on it, breaks things and measures:
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
//	n := lab.New(t)
//	outer := n.Segment("outer")
//	a := n.Host("a", outer.At("192.168.1.2/24"))
//	b := n.Host("b", outer.At("192.168.1.3/24"))
//	undo := n.Unplug(a, outer)
//
// It promises that everything it makes ends with the test, that a fault does what it says until it is
// undone, and that a test which fails leaves what is needed to understand it in a directory whose path
// it prints. It never touches the machine's own interfaces, addresses or tables, never ends a process
// that is not its own, and imports nothing of quorate: it drives the binary as a person would.
package lab
