// Package config turns bytes on disk into typed values: the agent file of one host, and the cluster
// file, which all directors share. It also checks, prints and compares configurations.
//
// It promises to be strict and to say everything at once: each unknown key, wrong type, value out of
// range and contradiction is a [Problem] with its place, what is wrong there and what would be right.
// What [ParseCluster] accepts, [Format] prints so that it parses to the same value; what [Diff] calls
// no change is equal.
//
// It never reads a file, resolves a name or asks the kernel, and no input makes it panic.
package config

//go:generate go run ./reference -o ../docs/reference.md -import ../docs/import-keepalived.md
