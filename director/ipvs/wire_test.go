package ipvs

import (
	"bytes"
	"net/netip"
	"syscall"
	"testing"
)

func TestServicesAndDestinationsSurviveTheWire(t *testing.T) {
	for key, entry := range everything() {
		gotKey, got, err := decodeService(appendService(nil, key, entry.Service))
		if err != nil || gotKey != key || got != entry.Service {
			t.Errorf("decode of %v %+v = %v, %+v, %v", key, entry.Service, gotKey, got, err)
		}
		for addr, dest := range entry.Dests {
			gotAddr, got, err := decodeDest(appendDest(nil, addr, dest), familyOf(key.is6()), new(attrs))
			if err != nil || gotAddr != addr || got != dest {
				t.Errorf("decode of %v %+v = %v, %+v, %v", addr, dest, gotAddr, got, err)
			}
		}
	}
}

func TestARequestHasTheBytesThatTheKernelExpects(t *testing.T) {
	if native.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the bytes are those of a little-endian machine")
	}
	op := Op{Verb: DelDest, Key: tcp("192.0.2.1:80"), Addr: netip.MustParseAddrPort("10.0.0.1:8080")}
	want := []byte("\x24\x00\x01\x80" + // service
		"\x06\x00\x01\x00\x02\x00\x00\x00" + // family
		"\x06\x00\x02\x00\x06\x00\x00\x00" + // protocol
		"\x08\x00\x03\x00\xc0\x00\x02\x01" + // address
		"\x06\x00\x04\x00\x00\x50\x00\x00" + // port
		"\x1c\x00\x02\x80" + // destination
		"\x06\x00\x0b\x00\x02\x00\x00\x00" +
		"\x08\x00\x01\x00\x0a\x00\x00\x01" +
		"\x06\x00\x02\x00\x1f\x90\x00\x00")
	if got := op.request(); got.cmd != cmdDelDest || !bytes.Equal(got.body, want) {
		t.Errorf("request of %v = %d\n% x, want\n% x", op, got.cmd, got.body, want)
	}
}

func FuzzDecode(f *testing.F) {
	for key, entry := range everything() {
		f.Add(appendService(nil, key, entry.Service))
		for addr, dest := range entry.Dests {
			f.Add(appendDest(nil, addr, dest))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if key, s, err := decodeService(b); err == nil {
			gotKey, got, err := decodeService(appendService(nil, key, s))
			if err != nil || gotKey != key || got != s && len(s.Scheduler) == len(got.Scheduler) {
				t.Errorf("%v %+v comes back as %v %+v, %v", key, s, gotKey, got, err)
			}
		}
		if addr, d, err := decodeDest(b, syscall.AF_INET, new(attrs)); err == nil {
			if gotAddr, got, err := decodeDest(appendDest(nil, addr, d), syscall.AF_INET, new(attrs)); err != nil || gotAddr != addr || got != d {
				t.Errorf("%v %+v comes back as %v %+v, %v", addr, d, gotAddr, got, err)
			}
		}
		for len(b) >= 16 {
			_, rest, err := parseMessage(b)
			if err != nil {
				break
			}
			b = rest
		}
	})
}
