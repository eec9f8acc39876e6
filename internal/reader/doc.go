// Package reader reads all files of a snapshot as one tar stream, with all that LXD's file
// transfer does not carry: owners, extended attributes, ACLs, file capabilities, hard links,
// devices and long names.
//
// A Reader is an instance that lives for the reading: a bare copy of the snapshot on the
// source's member, which shares its blocks, has no network and no limits, and runs nothing but
// sleep as its init. So tar runs as root in the instance's own user namespace, and owners are
// those that the instance knows, from 0 on. Nothing is written to the member's disk but what
// the start of the copy changes.
//
// Every step may be repeated, also after a crash in the middle; a Reader whose job is over is
// found by its role and its job, and deleted.
package reader
