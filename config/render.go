package config

import (
	"fmt"
	"strings"
)

// Render prints changes for people: + for what comes, - for what goes, ~ for what changes.
func Render(changes []Change) string {
	if len(changes) == 0 {
		return "No change.\n"
	}
	var b strings.Builder
	count := make(map[Verb]int)
	for _, c := range changes {
		count[c.Verb]++
		sign := map[Verb]string{Add: "+", Modify: "~", Remove: "-"}[c.Verb]
		fmt.Fprintf(&b, "%s %s %s\n", sign, c.Kind, c.Name)
		width := 0
		for _, f := range c.Fields {
			width = max(width, len(f.Name))
		}
		for _, f := range c.Fields {
			switch c.Verb {
			case Add:
				fmt.Fprintf(&b, "    %-*s = %s\n", width, f.Name, f.New)
			case Modify:
				fmt.Fprintf(&b, "    %-*s : %s -> %s\n", width, f.Name, f.Old, f.New)
			case Remove: // what it was is in the history
			}
		}
	}
	fmt.Fprintf(&b, "\n%d to add, %d to change, %d to remove.\n", count[Add], count[Modify], count[Remove])
	return b.String()
}
