package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

const stream = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/at_the_owner"}
{"Action":"output","Package":"p","Test":"TestA/at_the_owner","Output":"    x_test.go:1: owners, one after the other: [\"d1\" \"d2\"]; more than one for 20ms, nobody for 0s (looked at least every 30ms)\n"}
{"Action":"output","Package":"p","Test":"TestA/at_the_owner","Output":"    x_test.go:2: 1000 sent, 2 lost, longest gap 31.5ms (sender's own stall 9ms)\n"}
{"Action":"pass","Package":"p","Test":"TestA/at_the_owner","Elapsed":12.4}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":13}
{"Action":"run","Package":"p","Test":"TestWithoutAGuard"}
{"Action":"pass","Package":"p","Test":"TestWithoutAGuard","Elapsed":3}
{"Action":"run","Package":"p","Test":"TestR"}
{"Action":"output","Package":"p","Test":"TestR","Output":"    r.go:1: round 1, drain: requests: 230 requests, 0 failed, longest gap 238ms, slowest 360ms, answered by rs1 79\n"}
{"Action":"output","Package":"p","Test":"TestR","Output":"    r.go:1: round 2, drain: requests: 20 requests, 1 failed, longest gap 238ms, slowest 460ms, answered by rs1 79\n"}
{"Action":"output","Package":"p","Test":"TestR","Output":"    r.go:1: round 2, drain: requests lost: 20 requests, 1 failed, longest gap 238ms, slowest 460ms\n"}
{"Action":"output","Package":"p","Test":"TestR","Output":"    r.go:1: round 2, drain: young connections: 25 connections, 0 broken, longest wait 1.5s\n"}
{"Action":"output","Package":"p","Test":"TestR","Output":"    r.go:1: old connections: 25 connections, 0 broken, longest wait 277.68ms\n"}
`

func TestThePageSaysWhatTheRunPrinted(t *testing.T) {
	r, err := read(strings.NewReader(stream+`{"Action":"pass","Package":"p","Test":"TestR","Elapsed":60}`), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	page := r.page("quorate x", time.Unix(0, 0).UTC())
	for _, want := range []string{
		"| TestA: at the owner | pass | 12s | 1000 | 2 | 32ms | 20ms | 0s |\n",
		"## Controls\n\n| proof | outcome | took | probes | lost | gap | two hosts | nobody |\n|---|---|---|---|---|---|---|---|\n| TestWithoutAGuard | pass | 3s | - | - | - | - | - |\n",
		"| drain | 2 | 250 | 1 | 25 | 0 | 1.5s |\n",
		"| old connections | 0 | 0 | 0 | 25 | 0 | 278ms |\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "| TestA | ") {
		t.Errorf("a test is counted beside its subtests:\n%s", page)
	}
	if err := r.failed(); err != nil {
		t.Error(err)
	}
}

func TestARunThatDidNotPassIsAnError(t *testing.T) {
	for _, tt := range []struct{ name, end, want string }{
		{"it failed", `{"Action":"fail","Package":"p","Test":"TestR"}`, "TestR: fail"},
		{"it was skipped", `{"Action":"skip","Package":"p","Test":"TestR"}`, "TestR: skip"},
		{"it was cut off", "", "TestR: unfinished"},
		{"its package did not build", `{"Action":"pass","Package":"p","Test":"TestR"}` + "\n" + `{"Action":"fail","Package":"q"}`, "q: fail"},
	} {
		r, err := read(strings.NewReader(stream+tt.end), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.failed(); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	r, err := read(strings.NewReader("build failed\n"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.failed() == nil {
		t.Error("a run without tests is taken for one that passed")
	}
}
