package keepalived

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// files makes the functions that read of texts by name. A pattern is a name.
func files(texts map[string]string) Files {
	return Files{
		Read: func(path string) ([]byte, error) {
			text, ok := texts[path]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
		Glob: func(pattern string) ([]string, error) {
			if strings.Contains(pattern, "[") {
				return nil, errors.New("syntax error in pattern")
			}
			if _, ok := texts[pattern]; ok {
				return []string{pattern}, nil
			}
			return nil, nil
		},
		Abs: func(path string) (string, error) { return "/" + path, nil },
	}
}

func TestLines(t *testing.T) {
	for _, tt := range []struct{ name, node, in, want string }{
		{"comments end lines, but not in quotes", "", "a b # c\nd ! e\nnotify \"x # y\" # z\n#\n", "a b|d|notify \"x # y\""},
		{"a line for one host", "lb1", "@lb1 priority 150\n@lb2 priority 100", "priority 150"},
		{"a line for all hosts but one", "lb1", "@^lb1 a\n@^lb2 b", "b"},
		{"a macro, before space and in braces", "", "$X=1\n$X a $X b\n${X}2 $X2", "1 a 1 b|12 $X2"},
		{"a macro is what it was last", "", "$X=1\na ${X}\n$X=2\na ${X}", "a 1|a 2"},
		{"a macro in a macro is looked up when it is used", "", "$A=10.${B}\n$B=0\n${A}.1\n$B=9\n${A}.1", "10.0.1|10.9.1"},
		{"an unknown macro stays", "", "script ${NOBODY} $HOME", "script ${NOBODY} $HOME"},
		{"a macro of itself ends", "", "$A=x$A y\n$A", ""},
		{"a macro that is a condition", "lb1", "$M=@lb1\n$N=@lb2\n$M priority 1\n$N priority 2", "priority 1"},
		{"a macro of several lines, with definitions in it", "", "$R= \\\n rs ${N} { \\\n } \\\n\n$N=7\n$R\n$T= \\\n $N=8 \\\n $R\n$T", "rs 7 {|}|rs 8 {|}"},
		{"a condition in a macro of several lines", "b", "$R= \\\n @a x \\\n @b y\n$R", "y"},
		{"a sequence", "", "~SEQ(N, 1, 3) a ${N}", "a 1|a 2|a 3"},
		{"a sequence with a step, downwards", "", "~SEQ(N, 10, -4, 1) ${N}", "10|6|2"},
		{"a sequence to a number below zero", "", "~SEQ(N, -2) ${N}", "-1|-2"},
		{"a sequence of hexadecimal numbers", "", "~SEQx(N, 0x9, 0xb) fe80::${N}", "fe80::9|fe80::a|fe80::b"},
		{"a list", "", "~LST(N, a, b) ${N}", "a|b"},
		{"a list of tuples in a sequence", "", "~SEQ(I,1,2) ~LST({X,Y},{1,2},{3,4}) ${I}.${X}.${Y}", "1.1.2|1.3.4|2.1.2|2.3.4"},
		{"a sequence that never ends is none", "", "~SEQ(N, 1, 0, 5) a", ""},
		{"names that are built in", "lb1", "a ${_INSTANCE} ${_PWD} ${_HASH}1 ${_BANG}", "a lb1 /. #1 !"},
		{"a name that nobody says stays", "", "a ${_INSTANCE} b", "a ${_INSTANCE} b"},
		{"nothing but a definition goes on", "", "a \\\n  b\nc", "a \\|b|c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := &liner{files: files(map[string]string{"f": tt.in}), node: tt.node, notes: new(notes), macros: make(map[string]string)}
			if err := l.file("f", 0); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, one := range l.out {
				got = append(got, one.text)
			}
			if all := strings.Join(got, "|"); all != tt.want {
				t.Errorf("got  %s\nwant %s", all, tt.want)
			}
		})
	}
}

func TestIncludes(t *testing.T) {
	texts := map[string]string{
		"d/main": "a\ninclude sub/one\n  include /abs\nincluder none\ninclude {x,y}\nz", "d/sub/one": "one ${_PWD}\ninclude two", "d/sub/two": "two",
		"/abs": "abs", "d/x": "x", "d/y": "y",
	}
	l := &liner{files: files(texts), notes: new(notes), macros: make(map[string]string)}
	if err := l.file("d/main", 0); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range l.out {
		got = append(got, fmt.Sprintf("%s:%d %s", one.File, one.Line, one.text))
	}
	want := "d/main:1 a|d/sub/one:1 one /d/sub|d/sub/two:1 two|/abs:1 abs|d/x:1 x|d/y:1 y|d/main:6 z"
	if all := strings.Join(got, "|"); all != want {
		t.Errorf("got  %s\nwant %s", all, want)
	}
}

func TestAnIncludeThatCannotBeReadIsNotSaidToBeMissing(t *testing.T) {
	in := files(map[string]string{"main": "include secret\ninclude {open,secret}\ninclude none\n", "open": "", "secret": ""})
	read := in.Read
	in.Read = func(path string) ([]byte, error) {
		if path == "secret" {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
		}
		return read(path)
	}
	r, err := Import(in, []Input{{"main", ""}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "main:1: not carried over: include: nothing of it is in the cluster file: open secret: permission denied (also 2)\n" +
		"main:3: not carried over: include: there is no file none; keepalived goes on without it too\n" +
		"main:2: carried over with a difference: include: what could be read is in the one cluster file\n"
	if got := report(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatWouldNeverEndEnds(t *testing.T) {
	for name, text := range map[string]string{
		"a file that includes itself":            "include f\n",
		"macros that grow":                       "$A=${B}${B}\n$B=${C}${C}\n$C=${D}${D}\n$D=${A}${A}\n${A}",
		"a macro of several lines that is in it": "$A= \\\n $A \\\n $A\n$A",
		"a long sequence":                        "~SEQ(A, 1, 9000) ~SEQ(B, 1, 9000) x",
		"many blocks":                            strings.Repeat("a {\n", 5000),
		"many braces":                            strings.Repeat("{", 60000),
		"a long file many times":                 strings.Repeat("include f\n", 20) + "#" + strings.Repeat("x", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Import(files(map[string]string{"f": text}), []Input{{"f", "x"}})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Notes) == 0 || r.Notes[0].Fate != Dropped {
				t.Error("nothing is said of it")
			}
			holds(t, r)
		})
	}
}

func TestTokens(t *testing.T) {
	for in, want := range map[string]string{
		`a  b	c`:               `a|b|c`,
		`abcd" efg h "x 'y z'`: `abcd efg h x|y z`,
		`"a 'b c' d"`:          `a 'b c' d`,
		`"\x41\x4\101\n\"\\"`:  "A\x04A\n\"\\",
		`group{`:               `group|<{>`,
		`a { b } c }`:          `a|<{>|b|<}>|c|<}>`,
		`{a}`:                  `<{>|a|<}>`,
		`${X} "{" a{b}`:        `${X}|{|a{b}`,
		`""`:                   ``,
	} {
		var got []string
		for _, tok := range tokens(in) {
			if tok.brace {
				tok.text = "<" + tok.text + ">"
			}
			got = append(got, tok.text)
		}
		if all := strings.Join(got, "|"); all != want {
			t.Errorf("%s: got %q, want %q", in, all, want)
		}
	}
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		in    []string
		want  string
		shell bool
	}{
		{[]string{"/usr/bin/x"}, "/usr/bin/x", false},
		{[]string{"/usr/bin/x a 'b c' d"}, "/usr/bin/x|a|b c|d", false},
		{[]string{"/usr/bin/x", "a b"}, "/usr/bin/x|a b", false},
		{[]string{"pgrep -x y"}, "/bin/sh|-c|pgrep -x y", true},
		{[]string{"</dev/tcp/127.0.0.1/80"}, "/bin/bash|-c|</dev/tcp/127.0.0.1/80", true},
		{nil, "", false},
	} {
		got, shell := command(tt.in)
		if all := strings.Join(got, "|"); all != tt.want || shell != tt.shell {
			t.Errorf("%q: %s, %v; want %s, %v", tt.in, all, shell, tt.want, tt.shell)
		}
	}
}
