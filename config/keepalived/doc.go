// Package keepalived turns configurations of keepalived into a cluster file, and says of every construct in
// them what became of it.
//
// It promises that nothing is dropped in silence: each keyword that keepalived knows is in a table with
// its fate, and each use of one is in the report with file and line; that what it writes passes the checks
// of package config and reads back as the model that it was written from; and that no input makes it
// panic, or take time and memory without bounds. It reads files only through the functions that it is given,
// runs nothing, and looks nothing up.
//
// Each host's files are read in three steps: lines, with includes, conditions and macros done (lines.go, macros.go); statements
// (statement.go); what they say, by the tables of keywords (read_*.go). Then the hosts meet: align gives what is the same one name
// (align.go), and modelOf makes of each host what a cluster file would say (model.go, routers.go, needs.go, services.go, checks.go);
// merge adds what only others have, and tells what the first overrules (hosts.go, overruled.go); place says where groups are to be
// (place.go). Of the one model that this comes to prune takes out what no cluster file can say (prune.go), settle tells what became
// of all that is then not in it (settle.go), and adverts finds the routers that a keepalived which still runs does not believe
// (adverts.go). write prints the rest (write.go).
package keepalived
