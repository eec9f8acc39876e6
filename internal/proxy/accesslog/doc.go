// Package accesslog writes a line of JSON for each request, and never holds one up.
//
// What it guarantees, and how:
//
//   - A request only puts its line into memory. A goroutine of its own writes what is there
//     once a second, sooner where much has come, and at the end. A disk that is slow, full or
//     gone, or a pipe that nobody reads, costs lines and nothing else: some MiB are kept, what
//     comes on top is dropped and counted ([Log.Dropped]), and the daemon's own log says when it
//     began and when it was over.
//   - Lines are whole. What was written in part goes on where it stopped, or is left out where
//     the file is another one meanwhile.
//   - Rotation needs no help: a file that was moved or removed is opened anew within a second,
//     and [Log.Reopen] does it at once.
//   - The query is not in it: links to reset a password and the like carry secrets there.
package accesslog
