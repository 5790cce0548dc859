package interop

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Environment variables of `make interop`.
const (
	envAll     = "QUORATE_INTEROP_ALL"     // 1: run the whole matrix, not a pairwise part of it
	envResults = "QUORATE_INTEROP_RESULTS" // a file for the table of results
)

func TestQuorateAndThePeersShareARouter(t *testing.T) {
	cells := Matrix()
	if os.Getenv(envAll) != "1" {
		cells = Pairwise(Quick(cells))
		// What takes longest is best begun first: of subtests that wait, the last ones are.
		slices.SortStableFunc(cells, func(a, b Cell) int { return int(a.Interval - b.Interval) })
	}
	var mu sync.Mutex
	var outcomes []Outcome
	t.Run("cell", func(t *testing.T) {
		for _, c := range cells {
			t.Run(c.String(), func(t *testing.T) {
				needs(t, c.Peer)
				t.Parallel()
				o := live(t, c)
				mu.Lock()
				defer mu.Unlock()
				outcomes = append(outcomes, o)
			})
		}
	})
	if path := os.Getenv(envResults); path != "" && len(outcomes) > 0 {
		var b bytes.Buffer
		fmt.Fprintf(&b, "# VRRP beside keepalived and FRR, %s\n\n", time.Now().Format(time.DateOnly))
		if err := Report(&b, about(), outcomes); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// live takes a cell through all events, and judges its capture. The first event that does not hold ends
// it.
func live(t *testing.T, c Cell) Outcome {
	s := newStand(t, c)
	o := Outcome{Cell: c}
	for _, e := range Events() {
		if os.Getenv(envAll) != "1" && !e.Part.has(c) {
			continue
		}
		ok := t.Run(e.Name, func(t *testing.T) {
			if why := e.Skip(s); why != "" {
				t.Log("not here: " + why)
				o.Skipped = append(o.Skipped, e.Name+": "+why)
				return
			}
			results, err := e.Do(s)
			if lapses := s.Lapses(); lapses != "" && len(results) > 0 {
				results[len(results)-1].Lapses = lapses
			}
			for _, r := range results {
				t.Logf("%v", r)
			}
			o.Results = append(o.Results, results...)
			if err != nil {
				o.Failed = append(o.Failed, fmt.Sprintf("%s: %v", e.Name, err))
				t.Errorf("%v", err)
			}
		})
		if !ok {
			return o
		}
	}
	timing(t, s, &o)
	judge(t, s, &o)
	return o
}

// timing holds that quorate took over when the standard says, neither early nor late by more than a busy
// machine explains.
func timing(t *testing.T, s *Stand, o *Outcome) {
	if s.Cell.Role != Standby {
		return
	}
	for _, r := range o.Results {
		name := map[string]string{
			diesEvent:  "V45 a silent owner is replaced after Active_Down_Interval",
			stopsEvent: "V46 an owner that says goodbye is replaced after Skew_Time",
		}[r.Event]
		if name == "" || r.Silence == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if sooner := r.Formula - r.Silence; sooner > early || sooner < -slack {
				o.Failed = append(o.Failed, fmt.Sprintf("%s: %v, want %v", name, r.Silence, r.Formula))
				t.Errorf("%v after the last advert, want %v", r.Silence, r.Formula)
			}
		})
	}
}

// judge holds a cell's capture against tshark and against the requirements.
func judge(t *testing.T, s *Stand, o *Outcome) {
	s.Capture.Close()
	hold := func(name string, err error) {
		t.Run(name, func(t *testing.T) {
			if err != nil {
				o.Failed = append(o.Failed, fmt.Sprintf("%s: %v", name, err))
				t.Error(err)
			}
		})
	}
	hold("tshark finds nothing to say about what quorate sent", TsharkClean(s.Capture.File, s.filter(), false))
	frames, err := s.marked()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range Requirements(s.Cell) {
		hold(r.ID+" "+r.Text, r.Holds(s, frames))
	}
}

// about says where a run was, and what took part.
func about() []string {
	version := func(argv ...string) string {
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		for line := range strings.Lines(string(out)) {
			if strings.ContainsAny(line, "0123456789") { // not a warning
				return strings.TrimSpace(line)
			}
		}
		return fmt.Sprintf("%s: %v", argv[0], err)
	}
	return []string{
		fmt.Sprintf("kernel %s, %d CPUs, up to %v cells at once", version("uname", "-r"), runtime.NumCPU(), flag.Lookup("test.parallel").Value),
		"quorate: " + version(os.Getenv("QUORATE_BIN"), "version"),
		version("keepalived", "--version"),
		version(frrDir+"vrrpd", "--version"),
		version("tshark", "--version"),
	}
}

// TestChecksumsWithoutPseudoHeaderAreAsTsharkWantsThem has quorate alone: neither peer believes such checksums.
func TestChecksumsWithoutPseudoHeaderAreAsTsharkWantsThem(t *testing.T) {
	needs(t)
	t.Parallel()
	s := newStand(t, Cell{Peer: Keepalived, Role: Owner, Version: 3, Interval: 100 * time.Millisecond, Plain: true})
	s.Quorate.Start(s.Cell.settings(high))
	settled(t, func() error { return s.serves(s.Quorate, s.Cell.virtual()) })
	s.afterAdvert(t)
	s.Capture.Close()
	if err := TsharkClean(s.Capture.File, s.filter(), true); err != nil {
		t.Error(err)
	}
	finds(t, TsharkClean(s.Capture.File, s.filter(), false), "checksum")
}

func TestThePairwisePartHasEveryPairOfTheMatrix(t *testing.T) {
	all := Quick(Matrix())
	part := Pairwise(all)
	have := map[[2]string]bool{}
	for _, c := range part {
		for _, p := range c.pairs() {
			have[p] = true
		}
	}
	for _, c := range all {
		for _, p := range c.pairs() {
			if !have[p] {
				t.Fatalf("%v of %v is in no chosen cell", p, c)
			}
		}
	}
	t.Logf("%d of %d cells", len(part), len(all))
	if len(part) > len(all)/3 {
		t.Errorf("%d of %d cells is no small part", len(part), len(all))
	}
	names := map[string]bool{}
	for _, c := range all {
		if names[c.String()] {
			t.Errorf("two cells are named %v", c)
		}
		names[c.String()] = true
	}
}
