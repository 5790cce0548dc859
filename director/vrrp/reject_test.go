package vrrp

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/net/bpf"
)

func TestEachRejectionHasItsReasonAndIsShorterThanAnyAdvert(t *testing.T) {
	seen := map[Drop]bool{}
	for n := 1; n < len(rejections); n++ {
		why, ok := rejected(n)
		if !ok || why == "" || seen[why] || n >= minPayload {
			t.Errorf("length %d: %q, %v", n, why, ok)
		}
		seen[why] = true
	}
	for _, n := range []int{-1, 0, len(rejections), minPayload, 20} {
		if why, ok := rejected(n); ok {
			t.Errorf("length %d is rejected for %q", n, why)
		}
	}
}

// A flood of any rate is counted, and costs no more than a few hundred wakeups a second.
func TestV84ThatWhichIsRejectedIsCountedOneByOneOrBySample(t *testing.T) {
	const seconds = 60
	for _, rate := range []int{1, 10, calmRate, 2 * calmRate, 1000, 50_000} {
		r := rand.New(rand.NewPCG(1, uint64(rate)))
		var m meter
		var counted, marks uint64
		start := time.Unix(1000, 0)
		for i := range rate * seconds {
			now := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
			if m.strict && r.IntN(share) > 0 { // as the kernel
				continue
			}
			marks++
			counted += m.count(now)
			m.turn(now)
			m.empty()
		}
		sent := float64(rate * seconds)
		if rate <= calmRate && counted != uint64(sent) {
			t.Errorf("%d a second: counted %d, want all %v", rate, counted, sent)
		}
		if off := math.Abs(float64(counted) - sent); off > 4*math.Sqrt(sent*share) { // of a sample
			t.Errorf("%d a second: counted %d of %v", rate, counted, sent)
		}
		if most := seconds*calmRate + seconds*rate/share*2; marks > uint64(most) {
			t.Errorf("%d a second: %d were read, at most %d", rate, marks, most)
		}
	}
}

// What waited when the filter became strict is no sample.
func TestV84WhatWaitedBeforeAFloodWasSeenCountsOnce(t *testing.T) {
	var m meter
	now := time.Unix(1000, 0)
	for range calmRate {
		m.count(now)
	}
	if got := m.count(now); got != 1 || !m.turn(now) {
		t.Fatalf("the last before it counts for %d", got)
	}
	if got := m.count(now); got != 1 {
		t.Errorf("one that waited counts for %d", got)
	}
	m.empty()
	if got := m.count(now); got != share {
		t.Errorf("one of the sample counts for %d", got)
	}
}

func TestAFloodThatIsOverIsSeenWithoutAnyDatagram(t *testing.T) {
	var m meter
	now := time.Unix(1000, 0)
	for range calmRate + 1 {
		m.count(now)
	}
	if !m.turn(now) || !m.strict {
		t.Fatal("a flood is not seen")
	}
	if m.turn(now.Add(strictTime - time.Second)) {
		t.Error("it is taken to be over too soon")
	}
	if !m.turn(now.Add(strictTime)) || m.strict {
		t.Error("it is not seen to be over")
	}
	if m.turn(now.Add(strictTime)) {
		t.Error("it is seen twice")
	}
}

// A strict program passes what a calm one passes, to the byte, and of the rest drops most.
func TestAStrictFilterPassesTheSame(t *testing.T) {
	advert := frame(t, nil)[14:]
	bad := frame(t, func(b []byte) []byte { b[22] = 254; return b })[14:]
	for _, strict := range []bool{false, true} {
		program := compiler{strict}.program(Filter{}, false, 0)
		for i, in := range program { // a virtual machine of ours knows no extensions: as if to all hosts, and no luck
			if e, ok := in.(bpf.LoadExtension); ok && e.Num != bpf.ExtLen {
				program[i] = bpf.LoadConstant{Dst: bpf.RegA, Val: 1}
			}
		}
		vm, err := bpf.NewVM(program)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := vm.Run(advert); n != len(advert) && n != passAll || err != nil {
			t.Errorf("strict %v: an advert is cut to %d, %v", strict, n, err)
		}
		want := int(rejectTTL)
		if strict {
			want = 0
		}
		if n, err := vm.Run(bad); n != want || err != nil {
			t.Errorf("strict %v: one from beyond a router is cut to %d, %v, want %d", strict, n, err, want)
		}
	}
}
