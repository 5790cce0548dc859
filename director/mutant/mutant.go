package mutant

// The promises that a mutant breaks, by what it does instead.
const (
	RoundRobin  = "round-robin"  // every service is scheduled by rr
	BlindChecks = "blind-checks" // every real server is taken for up
	LoneRouters = "lone-routers" // sync groups are not: each router moves alone
	BreakFirst  = "break-first"  // a planned move gives up first, and connections stay behind
	DeafTables  = "deaf-tables"  // the kernel does not follow the state after the first time
	FlushTables = "flush-tables" // the tables go with the quorum
	NoGrace     = "no-grace"     // who has been silent for long is waited for
	NoGuard     = "no-guard"     // a Backup that hears nobody asks nobody
	OnlyTimer   = "only-timer"   // nobody is found dead before VRRP's timer has run
	NoStandby   = "no-standby"   // who does not own waits for nobody's silence
	LoneGuard   = "lone-guard"   // control alone sees to it that unknown flows are not reset
	OneProcess  = "one-process"  // the keeper dies with control
	NoFence     = "no-fence"     // who a recovery left behind goes on
	NoLifetime  = "no-lifetime"  // the kernel keeps an address that nobody renews
	Mute        = "mute"         // nobody announces where an address is
	NoRevert    = "no-revert"    // a change that nobody confirmed stays
	EarlyLevel  = "early-level"  // a leader writes what a level brings before the cluster has it
	Patient     = "patient"      // a disk that hangs or is slow is waited for, and nobody is told
	PoisonEnds  = "poison-ends"  // an entry that cannot be applied ends control
	NoScrub     = "no-scrub"     // nobody looks whether a state in memory is still what was applied
	Unasking    = "unasking"     // a keeper whose control is away asks nobody before it takes an address
)
