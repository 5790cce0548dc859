package syntax

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// openLine is a block that begins with a key in its own line and is not closed there, which HCL does not have.
type openLine struct {
	brace  hcl.Range // that opens the block
	key    int       // where the key ends
	end    int       // where the line ends
	goesOn bool      // the lines behind it are meant to be in the block, whose closing brace is there
}

// maxOpenLines is how many times a file is read again behind an open line.
const maxOpenLines = 16

// Parse parses a file. At an open line the parser takes all up to some closing brace for a part of the line, so that
// what is wrong there is hidden, and what stands behind it is in another block. Said is what there is to say of those lines:
// the file is what they were meant to be, and diags are about that.
func Parse(src []byte, filename string) (file *hcl.File, said, diags hcl.Diagnostics) {
	asIs, told := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	file, diags = asIs, told
	read := src // with open lines left blank, so that all else is where it was
	var all []openLine
	for range maxOpenLines { // behind one the parser does not see the next
		open, of := openLines(read, filename, diags)
		if len(open) == 0 {
			break
		}
		read = bytes.Clone(read)
		for _, o := range open {
			o.blank(read)
		}
		all, said = append(all, open...), append(said, of...)
		file, diags = hclsyntax.ParseConfig(read, filename, hcl.InitialPos)
	}
	if len(all) > 0 && (Unclosed(diags) != nil || Stray(diags, read, 0) != nil) { // they were not meant as they look
		return asIs, nil, told
	}
	for _, o := range all {
		said = append(said, o.graft(src, file)...)
	}
	return file, said, diags
}

// openLines are the open lines that the parser tells of, and what it says of them.
func openLines(src []byte, filename string, diags hcl.Diagnostics) (all []openLine, said hcl.Diagnostics) {
	var tokens hclsyntax.Tokens
	for _, diag := range diags {
		if diag.Summary != "Invalid single-argument block definition" || diag.Subject == nil {
			continue
		}
		if tokens == nil {
			tokens, _ = hclsyntax.LexConfig(src, filename, hcl.InitialPos)
		}
		if o, ok := openAt(src, tokens, diag.Subject.Start.Byte); ok {
			all, said = append(all, o), append(said, diag)
		}
	}
	return all, said
}

// openAt is the open line whose key ends before the token at some byte.
func openAt(src []byte, tokens hclsyntax.Tokens, at int) (o openLine, ok bool) {
	o.key = at
	from := slices.IndexFunc(tokens, func(t hclsyntax.Token) bool { return t.Range.Start.Byte >= at })
	depth := 0
	for i := from - 1; depth >= 0; i-- { // back to the brace
		if i < 0 || depth == 0 && endsLine(tokens[i]) {
			return o, false
		}
		depth -= nests(tokens[i].Type)
		o.brace = tokens[i].Range
	}
	if src[o.brace.Start.Byte] != '{' {
		return o, false
	}
	depth = 0
	for _, t := range tokens[from:] { // and on to the end of the line
		if depth += nests(t.Type); depth < 0 {
			return o, false // it is closed there
		}
		if depth == 0 && endsLine(t) {
			o.end = t.Range.Start.Byte
			o.goesOn = goesOn(src, o.brace.Start.Byte, t.Range.End.Byte)
			return o, true
		}
	}
	return o, false
}

// endsLine reports whether a token is the end of a line, which a comment may have.
func endsLine(t hclsyntax.Token) bool {
	return t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n"))
}

// goesOn reports whether the line behind an open one looks as if it were in its block, or closed that.
func goesOn(src []byte, brace, behind int) bool {
	line := src[bytes.LastIndexByte(src[:brace], '\n')+1:]
	next := bytes.TrimLeft(src[behind:], "\r\n")
	for len(next) > 0 && len(bytes.TrimSpace(next[:lineLength(next)])) == 0 {
		next = bytes.TrimLeft(next[lineLength(next):], "\r\n")
	}
	deep := indented(next) - indented(line)
	return deep > 0 || deep == 0 && bytes.HasPrefix(next[indented(next):], []byte("}"))
}

func lineLength(src []byte) int {
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		return i
	}
	return len(src)
}

func indented(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " \t")) }

// blank leaves what stands behind the brace in the line out, and closes the block there unless it goes on.
func (o openLine) blank(src []byte) {
	for i := o.brace.End.Byte; i < o.end; i++ {
		if src[i] != '\n' && src[i] != '\r' {
			src[i] = ' '
		}
	}
	if !o.goesOn {
		src[o.brace.End.Byte] = '}'
	}
}

// graft gives the block the key that was left out.
func (o openLine) graft(src []byte, file *hcl.File) hcl.Diagnostics {
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return nil
	}
	block := blockAt(body, o.brace.Start.Byte)
	line, diags := hclsyntax.ParseConfig(append(bytes.Clone(src[o.brace.End.Byte:o.key]), '\n'), o.brace.Filename, o.brace.End)
	key, ok := line.Body.(*hclsyntax.Body)
	if !ok || block == nil {
		return diags
	}
	for name, attr := range key.Attributes {
		if other := block.Attributes[name]; other != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Subject: &other.NameRange,
				Detail: fmt.Sprintf("the key %q was set on line %d already", name, attr.NameRange.Start.Line),
			})
			continue
		}
		block.Attributes[name] = attr
	}
	return diags
}

// blockAt is the body of the block that a brace opens.
func blockAt(body *hclsyntax.Body, brace int) *hclsyntax.Body {
	for _, b := range body.Blocks {
		if b.OpenBraceRange.Start.Byte == brace {
			return b.Body
		}
		if found := blockAt(b.Body, brace); found != nil {
			return found
		}
	}
	return nil
}
