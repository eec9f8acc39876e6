// Package repository keeps backups in a repository of kopia's format, in a folder or in a bucket
// of an S3 server: deduplicated over all that is in it, compressed, encrypted before it leaves,
// and readable with kopia's own tool when lxdfleet is gone (docs/backups.md).
//
// A backup is written from a tar stream and read as one. It is a snapshot as kopia makes them, of
// a folder with these in it:
//
//	files    the tree: folders, files and symbolic links with mode, owner and time
//	headers  all of the tar stream that is not the content of a file, and where that content is
//	beside   contents that have no place in the tree; missing where there are none
//
// Read puts headers and contents together again, byte for byte: what kopia's tree has no room for
// (extended attributes, ACLs, capabilities, hard links, devices, sparse maps) is in the headers.
//
// A backup is there when all of it is there: its manifest is written last. What a write that was
// killed had uploaded is found by the next one, and is removed by Prune when nothing uses it.
//
// Any number of processes may use a repository at the same time. Prune and Rotate hold a lock on
// the whole of it; writers need none. Errors are fleet errors in plain words, and hold no secret;
// a *Damage says which file and which object can no longer be read.
package repository
