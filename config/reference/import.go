package main

import (
	"fmt"
	"strings"

	"github.com/quorate/quorate/config/keepalived"
)

// coverage writes the page of what becomes of each keyword of keepalived, from the importer's own tables.
func coverage() (string, error) {
	w := &writer{}
	w.about("import")
	all := keepalived.Keywords()
	names, uses := make(map[string]bool), make(map[keepalived.Fate]int)
	for _, k := range all {
		names[k.Name] = true
		uses[k.Fate]++
	}
	fmt.Fprintf(w, "\n%d keywords, of which some stand in several blocks: in %d places they are carried over, in %d with a difference, in %d not.\n",
		len(names), uses[keepalived.Carried], uses[keepalived.Differs], uses[keepalived.Dropped])
	for i := 0; i < len(all); {
		if i == 0 || all[i].Block != all[i-1].Block {
			block := "Top level"
			if all[i].Block != "" {
				block = "`" + all[i].Block + "`"
			}
			fmt.Fprintf(w, "\n## %s\n\n| keyword | | what becomes of it |\n| --- | --- | --- |\n", block)
		}
		first, same := all[i], []string{}
		for ; i < len(all) && all[i].Block == first.Block && all[i].Text == first.Text && all[i].Fate == first.Fate; i++ {
			same = append(same, "`"+all[i].Name+"`")
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", strings.Join(same, ", "), first.Fate, strings.ReplaceAll(first.Text, "|", `\|`))
	}
	return w.String(), w.err
}
