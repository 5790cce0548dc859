package keepalived

import "strings"

// Statement is a keyword with the words behind it, and the block that it opens.
type Statement struct {
	Place
	Word  string
	Args  []string
	Block []*Statement
	Open  bool // it has a block, which may be empty

	told    bool // a note says what became of it
	entered bool // what is in its block was read
}

// Arg returns a word behind the keyword, or "".
func (s *Statement) Arg(i int) string {
	if i < len(s.Args) {
		return s.Args[i]
	}
	return ""
}

// String returns the words of a statement and of its block.
func (s *Statement) String() string {
	words := append([]string{s.Word}, s.Args...)
	for _, one := range s.Block {
		words = append(words, one.String())
	}
	return strings.Join(words, " ")
}

// maxParts bounds the constructs of a line that have fates of their own; what more a sequence makes of it shares one.
const maxParts = 10_000

// maxBlocks is how deep blocks can be; no keyword needs more than five.
const maxBlocks = 32

// statements makes a tree of lines.
func statements(lines []line, n *notes) []*Statement {
	root := &Statement{Open: true}
	stack := []*Statement{root}
	parts := make(map[Place]int) // of a line
	for _, l := range lines {
		var words []string
		flush := func() {
			if len(words) > 0 {
				top, at := stack[len(stack)-1], l.Place
				parts[at] = min(parts[at]+1, maxParts)
				at.Part = parts[l.Place]
				top.Block = append(top.Block, &Statement{Place: at, Word: words[0], Args: words[1:]})
				words = nil
			}
		}
		for _, t := range tokens(l.text) {
			switch {
			case t.brace && t.text == "{":
				flush()
				stack = open(stack, l.Place, n)
			case t.brace:
				flush()
				if len(stack) == 1 {
					n.Dropped(l.Place, "}", "there is no block that it could end")
					continue
				}
				stack = stack[:len(stack)-1]
			default:
				words = append(words, t.text)
			}
		}
		flush()
	}
	if len(stack) > 1 {
		top := stack[len(stack)-1]
		n.Dropped(top.Place, top.Word, "its block has no end; what follows was taken for a part of it")
	}
	return root.Block
}

// open begins the block of the last statement.
func open(stack []*Statement, at Place, n *notes) []*Statement {
	top := stack[len(stack)-1]
	if len(top.Block) == 0 || top.Block[len(top.Block)-1].Open || len(stack) > maxBlocks {
		n.Dropped(at, "{", "there is no keyword that it belongs to, or it is too deep")
		lost := &Statement{Place: at, Word: "{", Open: true, told: true}
		return append(stack, lost)
	}
	last := top.Block[len(top.Block)-1]
	last.Open = true
	return append(stack, last)
}

type token struct {
	text  string
	brace bool
}

// tokens splits a line at spaces. Quotes join, and within them a backslash escapes.
func tokens(text string) []token {
	var (
		all    []token
		word   strings.Builder
		begun  bool // there is a word, which may be empty
		quote  byte
		quoted bool // some of the word was in quotes
	)
	end := func() {
		if begun {
			all = append(all, split(word.String(), quoted)...)
		}
		word.Reset()
		begun, quoted = false, false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			var s string
			s, i = escaped(text, i+1)
			word.WriteString(s)
			begun = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, begun, quoted = c, true, true
		case c == ' ' || c == '\t':
			end()
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	end()
	return all
}

// split takes the braces off the ends of a word; "{" at the end opens, "}" at an end closes.
func split(word string, quoted bool) []token {
	var before, after []token
	if quoted || strings.Contains(word, "${") {
		return []token{{text: word}}
	}
	for word != "" && (word[0] == '{' || word[0] == '}') {
		before, word = append(before, token{word[:1], true}), word[1:]
	}
	for strings.HasSuffix(word, "{") || strings.HasSuffix(word, "}") && !strings.Contains(word, "{") {
		last := len(word) - 1
		after, word = append([]token{{word[last:], true}}, after...), word[:last]
	}
	if word != "" {
		before = append(before, token{text: word})
	}
	return append(before, after...)
}

// escaped reads what follows a backslash, and returns the index of its last byte.
func escaped(text string, i int) (string, int) {
	letters := map[byte]string{'a': "\a", 'b': "\b", 'E': "\x1b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v"}
	c := text[i]
	digits := func(from, most, base int, set string) (byte, int) {
		n, k := 0, from
		for k < len(text) && k < from+most {
			d := strings.IndexByte(set, text[k]|0x20)
			if base == 8 {
				d = strings.IndexByte(set, text[k])
			}
			if d < 0 {
				break
			}
			n, k = n*base+d, k+1
		}
		return byte(n), k - 1
	}
	switch {
	case letters[c] != "":
		return letters[c], i
	case c == 'x' && i+1 < len(text):
		b, last := digits(i+1, 2, 16, "0123456789abcdef")
		if last == i {
			return "x", i
		}
		return string([]byte{b}), last
	case c >= '0' && c <= '7':
		b, last := digits(i, 3, 8, "01234567")
		return string([]byte{b}), last
	case c == 'c' && i+1 < len(text):
		return string([]byte{text[i+1] & 0x1f}), i + 1
	}
	return string([]byte{c}), i
}
