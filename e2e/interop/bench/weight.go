package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/e2e/lab"
)

// What the kernel calls what is asked of IPVS: see its ip_vs.h.
const (
	ipvsGetDest     = 8
	ipvsVersion     = 1
	ipvsAttrService = 1
	ipvsAttrDest    = 2
)

// lookEvery is the time between two looks at a kernel. What looks takes the processor from what is measured, of both
// programs, and a guest has one: a look costs it half a millisecond or more.
const lookEvery = 5 * time.Millisecond

// family is the number of IPVS among the kernel's netlink families, once it has one: then it stays, and to ask for it
// costs as much as a look. Looks are taken one after the other.
var family uint16

func familyOf() (uint16, error) {
	if family == 0 {
		f, err := netlink.GenlFamilyGet("IPVS")
		if err != nil {
			return 0, err
		}
		family = f.ID
	}
	return family, nil
}

// weights reads the real servers of one virtual service from a host's kernel: a look at the whole table would take
// seconds, and this takes a millisecond.
func weights(h *lab.Host, service netip.AddrPort) (map[netip.AddrPort]int, error) {
	var answers [][]byte
	var err error
	doErr := h.Do(func() {
		var id uint16
		if id, err = familyOf(); err != nil {
			return
		}
		req := nl.NewNetlinkRequest(int(id), unix.NLM_F_DUMP)
		req.AddData(&nl.Genlmsg{Command: ipvsGetDest, Version: ipvsVersion})
		of := nl.NewRtAttr(ipvsAttrService|unix.NLA_F_NESTED, nil)
		of.AddRtAttr(1, binary.NativeEndian.AppendUint16(nil, unix.AF_INET))
		of.AddRtAttr(2, binary.NativeEndian.AppendUint16(nil, unix.IPPROTO_TCP))
		of.AddRtAttr(3, service.Addr().AsSlice())
		of.AddRtAttr(4, binary.BigEndian.AppendUint16(nil, service.Port()))
		req.AddData(of)
		answers, err = req.Execute(unix.NETLINK_GENERIC, 0)
	})
	if doErr != nil {
		return nil, doErr
	}
	if err != nil {
		return nil, fmt.Errorf("servers of %v on %s: %w", service, h.Name, err)
	}
	all := map[netip.AddrPort]int{}
	for _, answer := range answers {
		address, weight, err := destination(answer)
		if err != nil {
			return nil, err
		}
		all[address] = weight
	}
	return all, nil
}

// destination takes an answer of the kernel apart.
func destination(answer []byte) (address netip.AddrPort, weight int, err error) {
	top, err := nl.ParseRouteAttr(answer[nl.SizeofGenlmsg:])
	if err != nil {
		return address, 0, err
	}
	for _, outer := range top {
		if outer.Attr.Type&^unix.NLA_F_NESTED != ipvsAttrDest {
			continue
		}
		attrs, err := nl.ParseRouteAttr(outer.Value)
		if err != nil {
			return address, 0, err
		}
		var addr netip.Addr
		var port uint16
		for _, a := range attrs {
			switch a.Attr.Type {
			case 1:
				addr = netip.AddrFrom4([4]byte(a.Value))
			case 2:
				port = binary.BigEndian.Uint16(a.Value)
			case 4:
				weight = int(binary.NativeEndian.Uint32(a.Value))
			}
		}
		return netip.AddrPortFrom(addr, port), weight, nil
	}
	return address, 0, fmt.Errorf("an answer of the kernel without a destination")
}

// inKernels waits until the kernels of hosts say of a service what is wanted, one after the other.
func inKernels(r *run, limit time.Duration, hosts []*lab.Host, service netip.AddrPort, want func(map[netip.AddrPort]int) bool) {
	end := time.Now().Add(limit)
	for _, h := range hosts {
		for {
			all, err := weights(h, service)
			if err == nil && want(all) {
				break
			}
			if time.Now().After(end) {
				r.Fatalf("%s has not what is wanted of %v within %v: %d servers, %v", h.Name, service, limit, len(all), err)
			}
			time.Sleep(lookEvery)
		}
	}
}
