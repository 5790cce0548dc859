// Package ldirectord turns a configuration of ldirectord into a cluster file of services, and says of every
// line in it what became of it.
//
// It promises what config/keepalived does: each directive that ldirectord knows is in a table with its fate,
// nothing is dropped in silence, what is written is valid and reads back as the model, and no input makes
// it panic. It reads no file and looks no name up: host names are told, and not carried over.
package ldirectord
