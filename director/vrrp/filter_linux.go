package vrrp

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// packetHost is the kernel's PACKET_HOST: the frame was sent to this host alone.
	packetHost = 0
	// networkHeader is the kernel's SKF_NET_OFF: what lies before the payload that an IPv6 socket sees.
	networkHeader = 0xfff00000
	passAll       = 0xffff
)

// compiler makes the programs of filters. A strict one drops most of what is rejected.
type compiler struct{ strict bool }

// reject ends a program for a datagram that does not pass.
func (c compiler) reject(why rejection) []bpf.Instruction {
	if !c.strict {
		return []bpf.Instruction{bpf.RetConstant{Val: uint32(why)}}
	}
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtRand},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: share - 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: uint32(why)},
	}
}

// need is a check of a filter: the program goes on if the accumulator compares, and else rejects.
func (c compiler) need(cond bpf.JumpTest, val uint32, why rejection) []bpf.Instruction {
	reject := c.reject(why)
	return append([]bpf.Instruction{bpf.JumpIf{Cond: cond, Val: val, SkipTrue: uint8(len(reject))}}, reject...)
}

// program returns the socket filter of a family. Before is what lies between the IP header and the
// message: nothing, or an Authentication Header. An IPv4 socket sees the IP header, an IPv6 socket the
// payload.
func (c compiler) program(f Filter, v6 bool, before int) []bpf.Instruction {
	group := binary.BigEndian.Uint32(group4.AsSlice())
	ttl, dst := bpf.LoadAbsolute{Off: 8, Size: 1}, bpf.LoadAbsolute{Off: 16, Size: 4}
	at := func(off int) bpf.Instruction { return bpf.LoadIndirect{Off: uint32(before + off), Size: 1} }
	header := []bpf.Instruction{bpf.LoadMemShift{Off: 0}}
	if v6 {
		group = binary.BigEndian.Uint32(group6.AsSlice())
		ttl, dst = bpf.LoadAbsolute{Off: networkHeader + 7, Size: 1}, bpf.LoadAbsolute{Off: networkHeader + 24, Size: 4}
		header = []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 0}}
	}
	unicast := c.reject(rejectDestination)
	if f.Unicast {
		unicast = nil
	}
	multicast := c.multicast(v6, ttl, at(2))
	out := append(header, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.ALUOpX{Op: bpf.ALUOpSub})
	out = append(out, c.need(bpf.JumpGreaterOrEqual, uint32(before+minPayload), rejectLength)...)
	out = append(out, c.need(bpf.JumpLessOrEqual, uint32(before+maxPayload(v6)), rejectLength)...)
	out = append(out, dst, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: group, SkipTrue: uint8(len(multicast)) + 1})
	out = append(append(out, multicast...), bpf.Jump{Skip: uint32(len(unicast))})
	out = append(out, unicast...)
	if f.VRIDs != (VRIDs{}) {
		out = append(append(out, at(1)), c.contains(f.VRIDs)...)
	}
	return append(out, bpf.RetConstant{Val: passAll})
}

// multicast are the checks of what was sent to a group that begins like the right one.
func (c compiler) multicast(v6 bool, ttl, priority bpf.Instruction) []bpf.Instruction {
	out := append([]bpf.Instruction{ttl}, c.need(bpf.JumpEqual, TTL, rejectTTL)...)
	if v6 { // ff02::12 begins as other groups do that every host is in
		out = append(out, bpf.LoadAbsolute{Off: networkHeader + 36, Size: 4})
		out = append(out, c.need(bpf.JumpEqual, binary.BigEndian.Uint32(group6.AsSlice()[12:]), rejectDestination)...)
	}
	resigns := c.need(bpf.JumpNotEqual, 0, rejectResignation)
	out = append(out, bpf.LoadExtension{Num: bpf.ExtType}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: packetHost, SkipTrue: uint8(len(resigns)) + 1}, priority)
	return append(out, resigns...)
}

// contains is the check that the accumulator is in a set.
func (c compiler) contains(s VRIDs) []bpf.Instruction {
	out := []bpf.Instruction{
		bpf.StoreScratch{Src: bpf.RegA, N: 0},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 31},
		bpf.TAX{},
		bpf.LoadScratch{Dst: bpf.RegA, N: 0},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 5},
	}
	for i, word := range s {
		rest := uint32(len(s) - 1 - i)
		out = append(out, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(i), SkipTrue: 2},
			bpf.LoadConstant{Dst: bpf.RegA, Val: word}, bpf.Jump{Skip: 3 * rest})
	}
	out = append(out, bpf.ALUOpX{Op: bpf.ALUOpShiftRight}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 1})
	return append(out, c.need(bpf.JumpEqual, 1, rejectVRID)...)
}

// attach makes a program the filter of a socket, in place of the one that it has.
func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assemble the socket filter: %w", err)
	}
	filters := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filters[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := &unix.SockFprog{Len: uint16(len(filters)), Filter: unsafe.SliceData(filters)}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, prog); err != nil {
		return fmt.Errorf("attach the socket filter: %w", err)
	}
	return nil
}
