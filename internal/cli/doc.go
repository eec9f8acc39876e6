// Package cli is the lxdfleet command: nouns and verbs in the manner of lxc.
//
// Commands speak to the daemon only through the API, on its unix socket or, in a context that
// "lxdfleet login" has made, over HTTPS with a token; init, serve and
// doctor (where no daemon answers) are handed in by the caller as functions of App. What a
// script reads (tables, JSON, ids) goes to standard output; progress, hints and errors go to
// standard error.
//
// Exit codes: 0 it worked, 1 it failed, 2 the command line is wrong, 3 the daemon is not
// reachable. "tenant exec" gives the code of the command it ran.
package cli
