// Package certs gives the proxy the TLS certificates of its hosts: from ACME authorities, or from
// an internal one for names without public DNS.
//
// What it guarantees:
//
//   - Only hosts in the table cost anything. Whether a name is one is asked of the table, so a
//     stranger's name costs no signature, no order, no read of the storage and no memory; it gets
//     one fixed certificate that no client trusts.
//   - A handshake is answered from memory. It waits only where its host's certificate is not in
//     memory: for the storage, or for the first order; no longer than its own context.
//   - The account at an ACME authority is protected: orders are bounded per hour and per tenant,
//     and an order that fails is tried again after a minute, then two, four, up to a day. Both
//     are kept in the storage, so they hold over restarts and for all proxies together.
//     Renewals go before hosts somebody visits, and those before hosts nobody has asked for.
//   - Nothing is ordered that could not be kept: the storage is written before the authority is
//     asked.
//   - Several proxies with one storage obtain a certificate once, answer each other's challenges
//     and see each other's renewals.
//   - What is in memory is served on when storage or authorities fail.
//
// certmagic does the work with the authorities, the challenges, OCSP and the certificates in
// memory. When something is ordered is decided here, because certmagic's own ways to do so (a
// timer over what is in memory, or during handshakes) know neither limits nor a back-off that
// lasts, and read the storage under a lock that handshakes need.
package certs
