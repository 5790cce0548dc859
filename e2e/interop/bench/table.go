package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// median is the middle of some times.
func median(times []time.Duration) time.Duration { return quantile(times, 0.5) }

// quantile is the smallest of the times that this share of them is not above.
func quantile(times []time.Duration, share float64) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[max(0, min(len(sorted)-1, int(math.Ceil(share*float64(len(sorted))))-1))]
}

// middle is the smallest of some counts that half of them are not above.
func middle(all []int) int { return slices.Sorted(slices.Values(all))[(len(all)-1)/2] }

// counts lists counts, sorted.
func counts(all []int) string {
	var out []string
	for _, n := range slices.Sorted(slices.Values(all)) {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, " ")
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
}

func list(times []time.Duration) string {
	var out []string
	for _, d := range slices.Sorted(slices.Values(times)) {
		out = append(out, ms(d))
	}
	return strings.Join(out, " ")
}

// ratio is quorate's figure by keepalived's.
func ratio(ours, theirs time.Duration) string {
	if ours == 0 || theirs == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(ours)/float64(theirs))
}

// table prints a table in Markdown.
func table(title string, head []string, rows [][]string) {
	fmt.Printf("\n## %s\n\n| %s |\n|%s\n", title, strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, row := range rows {
		fmt.Printf("| %s |\n", strings.Join(row, " | "))
	}
}
