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

// need is a check of a filter: the program goes on if the accumulator compares, and else drops.
func need(cond bpf.JumpTest, val uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.JumpIf{Cond: cond, Val: val, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

// program returns the socket filter of a family. Before is what lies between the IP header and the
// message: nothing, or an Authentication Header. An IPv4 socket sees the IP header, an IPv6 socket the
// payload.
func (f Filter) program(v6 bool, before int) []bpf.Instruction {
	group := binary.BigEndian.Uint32(group4.AsSlice())
	ttl, dst := bpf.LoadAbsolute{Off: 8, Size: 1}, bpf.LoadAbsolute{Off: 16, Size: 4}
	at := func(off int) bpf.Instruction { return bpf.LoadIndirect{Off: uint32(before + off), Size: 1} }
	header := []bpf.Instruction{bpf.LoadMemShift{Off: 0}}
	if v6 {
		group = binary.BigEndian.Uint32(group6.AsSlice())
		ttl, dst = bpf.LoadAbsolute{Off: networkHeader + 7, Size: 1}, bpf.LoadAbsolute{Off: networkHeader + 24, Size: 4}
		header = []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 0}}
	}
	multicast := append([]bpf.Instruction{ttl}, need(bpf.JumpEqual, TTL)...)
	if v6 { // ff02::12 begins as other groups do that every host is in
		multicast = append(multicast, bpf.LoadAbsolute{Off: networkHeader + 36, Size: 4})
		multicast = append(multicast, need(bpf.JumpEqual, binary.BigEndian.Uint32(group6.AsSlice()[12:]))...)
	}
	multicast = append(multicast, bpf.LoadExtension{Num: bpf.ExtType}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: packetHost, SkipTrue: 3}, at(2))
	multicast = append(multicast, need(bpf.JumpNotEqual, 0)...)
	unicast := []bpf.Instruction{bpf.RetConstant{Val: 0}}
	if f.Unicast {
		unicast = nil
	}
	out := append(header, dst, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: group, SkipTrue: uint8(len(multicast)) + 1})
	out = append(out, multicast...)
	out = append(out, bpf.Jump{Skip: uint32(len(unicast))})
	out = append(out, unicast...)
	out = append(out, bpf.LoadExtension{Num: bpf.ExtLen}, bpf.ALUOpX{Op: bpf.ALUOpSub})
	out = append(out, need(bpf.JumpGreaterOrEqual, uint32(before+minPayload))...)
	out = append(out, need(bpf.JumpLessOrEqual, uint32(before+maxPayload(v6)))...)
	if f.VRIDs != (VRIDs{}) {
		out = append(append(out, at(1)), f.VRIDs.contain()...)
	}
	return append(out, bpf.RetConstant{Val: passAll})
}

// contain is the check that the accumulator is in the set.
func (s VRIDs) contain() []bpf.Instruction {
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
	return append(out, need(bpf.JumpEqual, 1)...)
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
