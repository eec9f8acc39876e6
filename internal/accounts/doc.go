// Package accounts is who may use lxdfleet: users, their sessions and one-time links, tokens for
// scripts, and the audit log of what they changed.
//
// What it guarantees:
//
//   - No secret is stored that could be used: passwords are argon2id hashes, the secrets of
//     sessions, links and tokens SHA-256 hashes. The secret of a one-time code is stored, since
//     codes are computed from it; it is never given out again.
//   - A wrong name, a wrong password, a wrong code and a disabled user cannot be told apart, by
//     the answer or by its time. Tries are slowed down per user and per address.
//   - A token never does more than its owner may at the moment it is used.
//   - What somebody may not see does not exist for them: the error is the same as for a name that
//     nobody has.
//   - An entry of the audit log that was altered, or taken out of the middle, shows (Check).
package accounts
