// Package sim plays who owns an address, in virtual time: hosts with their kernels, keepers and agents, the
// segments between them, and a model of the log, all of them in one goroutine on one clock that one seed drives.
// What decides is the real thing: the machines of director/vrrp, the ownership machine, priorities, orders and
// placement. What carries it out is modelled after director/keeper and agent, as far as it takes time, fails,
// freezes or comes too late.
//
// A scenario is drawn from its seed: two to five directors and maybe a witness, one router or a pair that moves
// as one, adverts each second or ten times that, the cluster's traffic on a wire of its own or on a segment.
// Nothing happens for a while, then three to eight things go wrong within a minute or two, then all heals, and it
// must settle and stay so. In each sixteenth the owner is cut off besides, and comes back with a log of before; in another
// sixteenth the cluster port of one is shut besides, to all others or to one, while what it opens itself passes; and in
// another all directors drain for a while, where foreign routers are known, and the owner is cut off meanwhile; and in another control of
// a standby stands still, and the routers get other VRIDs meanwhile, of which its keeper is not told. [Run] plays it; the same seed gives the same trace to the byte. A failing seed is replayed by
//
//	make sim SEED=17
//
// and the one in which a mutant was found, with what it switches off, by
//
//	make sim SEED=17 MUTANT=guard
//
// Many seeds are played by make sim N=10000 FROM=1, all mutants by make sim-mutants BOUND=2000, and the table of who owns what
// where the wires are cut is written by make truth-table.
//
// # Invariants
//
// They are looked at whenever anything has changed, and at the time at which one would be broken.
//
//  1. One owner. Two hosts do not answer for one address for longer than a second, counted from when all of this is
//     so: both kernels have the address and neither machine stands still; the segment is whole between them, that is,
//     ARP passes both ways; and a path between their agents is open: TCP passes both ways between their cluster
//     ports, both control processes run, and each has heard the other's stream within 150 ms. Or the port of one is shut to all
//     others, and it reaches the other's over a connection of its own, and both keepers run: then it is two seconds from when that is so, since
//     it asks who is silent for it. Or one's agent is
//     silent altogether, keeper and control, and the other's host is well; where that one's adverts did not pass on
//     every segment until it fell silent, or it fell silent between two of them and the other, to which the log
//     wanted the group to move, took over before the next was missed, half an interval after it is due, or its
//     machine did not answer on every segment until 150 ms before the other took over, or not within half an interval, which was rightly done for the dark one, or
//     the other's control had just been started and had asked nobody yet, or it fell silent before its kernel had done what
//     it was asked to when it gave the address up, or both had owned it already when it fell silent, since neither was
//     heard, the lifetime of its addresses is added: nobody can know how much of it is left. Delays of the cluster's
//     traffic are added four times, for three seconds longer than they last: what was begun before took as long.
//  2. Somebody answers. While a director could, a client on the segment has an answer within the bound. One could
//     that has a port with carrier on every segment of the group, a machine and a keeper that run (and for a pair,
//     control, in touch with a leader), on segments on which ARP is whole for everybody; and, while somebody who is
//     not reached has the address, a gateway or another host that tells it that it is not the one that is cut off.
//     The bound is six intervals and a second: the down interval of VRRP is less than four, and the guard may have
//     held the timer for two and two surveys; a pair may have to wait for the log: the grace, and three reports. It is
//     counted anew when who has just taken over is cut off as well: it could not know that when it did; when a keeper is told of another
//     VRID, with which its timer begins anew; and when the control of
//     one that is cut off ends, which had told one that could that it owns the group until then, and whose keeper goes on: another that
//     says so is found after it.
//  3. A group is not split: no host has one address of a pair and not the other for longer than a yield lingers, nor where its
//     keeper does not run: its addresses were renewed together.
//  4. No needless move. A host on which nothing was wrong for twelve seconds, which answers on its segments within
//     200 ms, with which all agents that live were in touch, in 300 ms there and back, and of which nobody asked
//     anything, does not lose what it has owned for five, and is not taken from by who hears it, or could ask it. Nor
//     does the log want it to move, but by its policy. That a keeper without control has the address too, which took it by its timer or goes by another VRID, is something that is wrong. That VRRP alone does not pass is nothing that is wrong.
//  5. Every decision has a reason: each change of state, each command, each thing that people are told.
//  6. Make before break: while the log wants a group to move between two that are well, and one of the two serves it
//     and is Active, or was until it lingered, somebody answers all the time. A third that serves it, cut off from
//     others, may be made to let go meanwhile.
//  7. The log follows the wire: it does not name a director that does not own the group instead of one that does, where that was so for
//     half a second when it was decided, and is when it is agreed. What is decided is not taken back, however long the disks take.
//  8. Clients are told. A client that heard an announcement does not send to a host that has not got the address for
//     longer than a second, while exactly one other has, which is Active and could know of it: it has reached the
//     client since it owns, and was told lately that the one before owns, with which it speaks or whose adverts have passed since before
//     that one let go, of which it has had a sign since if that dies, that went on until 300 ms before the death (who is silent on every path for
//     longer was taken for dead then, and told of), or a member that it looks for on the
//     segment came into its reach with it, or the cluster port of one that is not there, while its control ran and had
//     been on time. It counts from when its keeper runs: nobody else announces.
//  9. It settles. Twenty seconds after the last fault each group has one owner, the same on the wire and in every
//     member's log, and from then on nothing moves.
//  10. One comes first. Of two on which nothing was wrong, which hear each other, and whose timers ran by the same
//     advert and the same log, not both take a group over at the same moment.
//  11. Who can ask asks. Nobody takes a group by its timer which another has owned for 350 ms, and said so, where nothing has been
//     wrong with either of the two or between them for a second, in ports as on segments, whatever is wrong with a third: not with
//     the owner before, whose port may be cut.
//  12. Who is without control asks the segment. No keeper whose control is away has its timer take what another has owned for a second, and
//     answers for, where ARP passes between the two for as long, whatever it hears. One that takes a group while nobody has it, or owns it
//     when the routers get other VRIDs, may not hear who has it next, and no report tells it: such a one is not counted in the first invariant where
//     an agent is silent altogether.
//
// That the invariants can fail is shown by the mutants: parts of the system that are switched off, one by one, in
// [Mutants], ten of them. Each must be found, the one without which nobody sees that another has just taken a group by the
// eleventh invariant, and the one whose keepers ask nobody by the twelfth; `make sim-mutants` says how many scenarios it took.
package sim
