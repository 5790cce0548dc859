// Package imported holds what all importers of other programs' configurations have alike: what they say of
// each construct, and how they name what had no name. It reads nothing and knows no program.
package imported
