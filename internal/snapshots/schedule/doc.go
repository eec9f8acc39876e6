// Package schedule says when what is to be done by a policy is due. It is pure: it reads no
// clock and starts nothing.
//
// What it guarantees:
//
//   - An expression is read in a time zone. A time of day that the clocks leave out, when they
//     go ahead, is due at the moment they do; one that comes twice, when they go back, is due
//     the first time. An expression of every hour runs in each hour that passes.
//   - Runs that were missed are caught up with one run, however many they were.
//   - What is new, or was given another rule, is not due before its next time.
//   - A clock that was ahead for a while leaves nothing asleep until that time comes again.
//   - Of what is due at once, each member gets no more than its share; the rest waits, oldest
//     first.
package schedule
