// Package ipvs is this host's IPVS table: virtual services, their real servers, the connection
// table and its two synchronisation daemons.
//
// It promises that a wanted table that was applied reads back as equal, that every request to the
// kernel ends by a deadline, that a change edits in place what is there, and that one change that
// the kernel refuses does not stop the others. What it made is recorded in a [Ledger], because
// IPVS has no labels.
//
// It never flushes, never deletes on the word of one dump (a dump that runs beside another writer
// misses and doubles entries without saying so), and never deletes a service that the ledger does
// not name. The destinations of a service that is wanted all belong to whoever wants it.
package ipvs
