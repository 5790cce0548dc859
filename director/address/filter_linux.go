package address

import (
	"fmt"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// quiet keeps away from the events of routes all that cannot be about ours: a host that speaks BGP has
// a million of them. What passes is what has our mark, and what has replaced another route.
func (c *conn) quiet() error {
	kind := func(k uint16) uint32 { // in the order in which the filter reads
		b := native.AppendUint16(nil, k)
		return uint32(b[0])<<8 | uint32(b[1])
	}
	flags := native.AppendUint16(nil, unix.NLM_F_REPLACE)
	high := uint32(0) // which of the two bytes has the flag
	if flags[0] == 0 {
		high = 1
	}
	raw, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 4, Size: 2}, // the kind of message
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: kind(kindDelRoute), SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: kind(kindNewRoute), SkipTrue: 4},
		bpf.LoadAbsolute{Off: 6 + high, Size: 1}, // its flags
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.NLM_F_REPLACE >> 8, SkipTrue: 2},
		bpf.LoadAbsolute{Off: headerLen + 5, Size: 1}, // who made it
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: mark, SkipTrue: 1},
		bpf.RetConstant{Val: 1<<32 - 1},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return fmt.Errorf("assemble the filter of events: %w", err)
	}
	filters := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filters[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := &unix.SockFprog{Len: uint16(len(filters)), Filter: unsafe.SliceData(filters)}
	var set error
	outer := c.raw.Control(func(fd uintptr) {
		set = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program)
	})
	if err := firstOf(outer, set); err != nil {
		return fmt.Errorf("filter events: %w", err)
	}
	return nil
}
