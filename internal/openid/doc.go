// Package openid lets people log in with an OpenID provider, by the authorization code flow.
//
// What it guarantees:
//
//   - A login ends in the browser that began it: the provider's answer is worth nothing without
//     the cookie of that browser, from whose secret the state, the nonce and the PKCE verifier
//     follow. Nothing of a login is kept here.
//   - An identity comes from an ID token that the provider signed with a key and algorithm of its
//     own, for this client, for this login (nonce), that has not ended. Tokens without a signature,
//     or signed with the client's secret, are refused.
//   - Keys that the provider changed are fetched when the first token of a new key comes.
//   - The provider may be away when the daemon starts: it is asked at the first login.
package openid
