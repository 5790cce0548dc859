// Package rolling takes the directors of a cluster out one after another, so that each can be started with a new
// version: it hands over what a director owns, waits until it runs the new version and is as it was before, and goes
// on. It asks an agent, and starts and stops nothing itself.
//
// It promises that it never has two directors out at once, and that it stops, with the reason, where the cluster is
// not as it was.
package rolling

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/api"
)

// NotNow says why no director may be taken out now: one that is out already, or anything for which one that is
// there may be needed.
func NotNow(st api.Status) []string {
	if st.Cluster == "" || !st.Quorum {
		return []string{"this director is in no quorum"}
	}
	var why []string
	serving := 0
	for _, d := range st.Directors {
		if d.Role == "director" {
			serving++
		}
		switch {
		case d.State != "alive":
			why = append(why, d.Name+" is "+d.State)
		case !d.Ready:
			why = append(why, strings.Join(append([]string{d.Name + " is not ready"}, d.Reasons...), ": "))
		case d.Draining:
			why = append(why, d.Name+" drains")
		case d.AppliedIndex == st.AppliedIndex && d.StateHash != "" && d.StateHash != st.StateHash:
			why = append(why, d.Name+" has another state at the same log index")
		}
	}
	if serving < 2 {
		why = append(why, "there is no other director")
	}
	for _, g := range st.Groups {
		switch {
		case !member(st, g.Owner):
			why = append(why, "no member owns "+g.Name)
		case g.Moving != "":
			why = append(why, g.Name+" moves to "+g.Moving)
		}
	}
	return why
}

// member reports whether a name is a director's.
func member(st api.Status, name string) bool {
	return slices.ContainsFunc(st.Directors, func(d api.DirectorStatus) bool { return d.Name == name })
}

// Worse says in which way the cluster is not as it was: servers that were up and are not, warnings that were not
// there.
func Worse(before, now api.Status) []string {
	var why []string
	up := map[string]bool{}
	for _, svc := range before.Services {
		for _, server := range svc.Servers {
			up[svc.Name+" "+server.Address] = server.Verdict == "up"
		}
	}
	for _, svc := range now.Services {
		for _, server := range svc.Servers {
			if up[svc.Name+" "+server.Address] && server.Verdict != "up" {
				why = append(why, fmt.Sprintf("%s of %s is %s, was up", server.Address, svc.Name, server.Verdict))
			}
		}
	}
	for _, warning := range now.Warnings {
		if !slices.Contains(before.Warnings, warning) {
			why = append(why, warning)
		}
	}
	return why
}
