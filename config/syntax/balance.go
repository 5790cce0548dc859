package syntax

import "github.com/hashicorp/hcl/v2"

// Unclosed returns what the parser says about a block without a closing brace, or nil. It names only the last one that was begun.
func Unclosed(diags hcl.Diagnostics) *hcl.Diagnostic {
	for _, diag := range diags {
		if diag.Summary == "Unclosed configuration block" {
			return diag
		}
	}
	return nil
}

// Stray returns what the parser says about a closing brace that closes no block, in clearer words, or nil. The parser reads
// nothing behind such a brace. From is where src begins in the file, as the parser was told.
func Stray(diags hcl.Diagnostics, src []byte, from int) *hcl.Diagnostic {
	for _, diag := range diags {
		if diag.Summary != "Argument or block definition required" || diag.Subject == nil {
			continue
		}
		if at := diag.Subject.Start.Byte - from; at < len(src) && src[at] == '}' {
			diag.Detail = "This brace closes no block: it is one too many, or one before it is."
			return diag
		}
	}
	return nil
}
