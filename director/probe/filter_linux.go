package probe

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

const (
	toHost  = 0     // the kernel's PACKET_HOST: the frame was sent to this host alone
	passAll = 0xfff // bytes; longer frames are cut
	// mostListed is how many addresses a filter may list. It lets answers from all pass if there are more.
	mostListed = 1000
)

// answers is the socket filter that lets nothing pass but answers to this host that say who has one of the
// targets, which are of one family. Of an IPv6 address it looks at the end.
func answers(targets []Target, v6 bool) []bpf.Instruction {
	need := func(at uint32, size int, val uint32) []bpf.Instruction {
		return []bpf.Instruction{
			bpf.LoadAbsolute{Off: at, Size: size},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: val, SkipTrue: 1},
			bpf.RetConstant{Val: 0},
		}
	}
	out := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: toHost, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
	who := uint32(28) // the sender's address
	if v6 {
		out = append(out, need(20, 1, icmpv6)...)
		out = append(out, need(54, 1, advertise)...)
		who = 62 + 12
	} else {
		out = append(out, need(20, 2, arpReply)...)
	}
	if len(targets) > mostListed {
		return append(out, bpf.RetConstant{Val: passAll})
	}
	out = append(out, bpf.LoadAbsolute{Off: who, Size: 4})
	for _, t := range targets {
		b := t.Address.AsSlice()
		out = append(out, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[len(b)-4:]), SkipTrue: 1}, bpf.RetConstant{Val: passAll})
	}
	return append(out, bpf.RetConstant{Val: 0})
}
