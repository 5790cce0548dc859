// Package keepalived turns configurations of keepalived into a cluster file, and says of every construct in
// them what became of it.
//
// It promises that nothing is dropped in silence: each keyword that keepalived knows is in a table with
// its fate, and each use of one is in the report with file and line; that what it writes passes the checks
// of package config and reads back as the model that it was written from; and that no input makes it
// panic, or take time and memory without bounds. It reads files only through the functions that it is given,
// runs nothing, and looks nothing up.
//
// A file goes through four steps, each with files of its own: lines, with includes, conditions and
// macros done (lines.go, macros.go); statements (statement.go); what they say, by the tables of keywords
// (read_*.go); the model (routers.go, services.go and beside them). Two hosts of a pair meet in the last (hosts.go).
package keepalived
