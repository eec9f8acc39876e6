// Package webhooks tells other programs what happens in the fleet.
//
// What it guarantees:
//
//   - An event that was taken in is stored before Tell returns, and is tried until the receiver
//     answers 2xx or a day has passed; then it is dead, is shown, and can be replayed. A receiver
//     may get one twice (a daemon was killed after sending): the delivery's ID is the same.
//   - Deliveries of one tenant, or other subject, to one webhook are sent one after the other, in order.
//   - Each is signed with the webhook's secret, with the time, so that an old one cannot be sent
//     again by another: see Sign and Verify.
//   - It connects to public addresses only, unless the webhook allows others: the address is
//     checked where the connection is made, after names were resolved. Redirects are not followed.
package webhooks
