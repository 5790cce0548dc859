// Package expr computes what a cluster file leaves to be computed: references, templates, arithmetic, for
// expressions and a few functions, in HCL's own words.
//
// It promises an end: all expressions of a configuration together have a bounded number of steps and bounded
// memory, whatever they say. Each value is a pure function of the files: no function reads a file, the
// environment, the clock or the network.
package expr
