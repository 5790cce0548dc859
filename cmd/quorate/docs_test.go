package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mentioned are the commands that a text shows: between backticks, over the ends of lines too, and as lines of a terminal.
var (
	fence  = regexp.MustCompile("(?ms)^```.*?^```$")
	inline = regexp.MustCompile("`(quorate [^`]+)`")
	typed  = regexp.MustCompile(`(?m)^(?: {4}|\w+# )(quorate .+)$`)
	beyond = regexp.MustCompile(`\s+[#>|].*`) // a comment, and where its output goes
	quoted = regexp.MustCompile(`'[^']*'|\S+`)
)

func mentioned(text string) (out [][]string) {
	var found []string
	for _, m := range typed.FindAllStringSubmatch(text, -1) {
		found = append(found, beyond.ReplaceAllString(m[1], ""))
	}
	for _, m := range inline.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		found = append(found, m[1])
	}
	for _, line := range found {
		args := quoted.FindAllString(line, -1)[1:]
		for i, a := range args {
			args[i] = strings.Trim(a, "'")
			if a == "N" || a == "M" { // stands for a number
				args[i] = "1"
			}
		}
		out = append(out, args)
	}
	return out
}

// parses says what is wrong with a command that a text shows. It may leave its arguments out, and not some of them.
func parses(args []string) error {
	root := rootCommand()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	given := cmd.Flags().Args()
	switch {
	case len(given) == 0:
		return nil
	case cmd == root, cmd.HasSubCommands() && cmd.Name() != "remove": // which has names, too
		return unknown(cmd, given[0], "its commands")
	}
	return cmd.ValidateArgs(given)
}

func TestEveryCommandInTheDocsParses(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	all := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range mentioned(string(text)) {
			all++
			if err := parses(args); err != nil {
				t.Errorf("%s: quorate %s: %v", filepath.Base(file), strings.Join(args, " "), err)
			}
		}
	}
	if all < 100 {
		t.Errorf("%d commands were found, too few to be all", all)
	}
}

func TestACommandInTheDocsThatDoesNotExistIsFound(t *testing.T) {
	for text, want := range map[string]bool{
		"`quorate status`":                     true,
		"`quorate key\nfinish ca --force`":     true,
		"    quorate apply a b --yes # c":      true,
		"d1# quorate import keepalived f >g":   true,
		"`quorate stat`":                       false,
		"`quorate key finnish`":                false,
		"`quorate leave --now`":                false,
		"d1# quorate join 192.0.2.1 --tokn x":  false,
		"    quorate drain director":           true,
		"    quorate drain director d1 d2":     false,
		"`quorate cert create ann --lifetime`": false,
	} {
		found := mentioned(text + "\n")
		if len(found) != 1 {
			t.Fatalf("%q: %q", text, found)
		}
		if err := parses(found[0]); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
