package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/config"
	"github.com/quorate/quorate/e2e/lab"
)

// read measures what it costs to read the configuration and to find all that is wrong with it. It needs no agent.
func read(r *run) {
	n := lab.New(r)
	d := n.Director("d", n.Segment("lan").At("192.0.2.1/24"))
	file := d.WriteFile("cluster.hcl", string(config.Format(largest(nil))))
	theirs := d.WriteFile("keepalived.conf", forKeepalived(nil))
	r.note("read and validate")
	var ours, others []time.Duration
	for range readRounds {
		ours = append(ours, timed(func() { command(r, d, "validate", file) }))
		others = append(others, timed(func() { ran(r, d.Host, "keepalived", "--config-test", "--check", "--use-file", theirs) }))
	}
	table("Parse and validate all of it, as a process on this machine's kernel", lineHead(), [][]string{
		line("`quorate validate`", ours, "`keepalived -t`", others),
	})
}

// envGoBench names the file with what `go test -bench` has printed.
const envGoBench = "QUORATE_GO_BENCH"

// states prints what the benchmarks of the packages have measured on this machine: the parts of a change's way, and the
// time until three nodes with logs on disk have it in their states.
func states(r *run) {
	f, err := os.Open(os.Getenv(envGoBench))
	if errors.Is(err, fs.ErrNotExist) {
		r.Fatalf("%s names no file with the output of `go test -bench`: `make bench-config` makes it", envGoBench)
	}
	if err != nil {
		r.Fatalf("%v", err)
	}
	defer f.Close()
	rows, err := goBench(bufio.NewScanner(f))
	if err != nil {
		r.Fatalf("%v", err)
	}
	table("The parts of it, by the benchmarks of the packages", []string{"benchmark", "times", "ms each", "MiB allocated", "what else"}, rows)
}

// goBench makes rows of the lines of `go test -bench`.
func goBench(lines *bufio.Scanner) (rows [][]string, err error) {
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		name = name[:max(strings.LastIndex(name, "-"), 0)] // the number of processors follows
		row := []string{strings.ReplaceAll(name, "_", " "), f[1], "-", "-", ""}
		for i := 2; i+1 < len(f); i += 2 {
			x, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("a benchmark's line %q: %w", lines.Text(), err)
			}
			switch f[i+1] {
			case "ns/op":
				row[2] = ms(time.Duration(x))
			case "B/op":
				row[3] = fmt.Sprintf("%.2f", x/(1<<20))
			case "allocs/op":
			default:
				row[4] += fmt.Sprintf(" %s %s", f[i], f[i+1])
			}
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 && lines.Err() == nil {
		return nil, errors.New("no benchmarks were run")
	}
	return rows, lines.Err()
}
