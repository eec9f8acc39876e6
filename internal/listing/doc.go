// Package listing makes lists of files of tar streams, and tells how two lists differ. It reads
// a content only where it is asked for a sum of it.
package listing
