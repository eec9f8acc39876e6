package lxdapi

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/canonical/lxd/shared/api"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// ServerCertificate asks the server at https://HOST:PORT for its certificate, PEM. Nothing is known
// of the server by that: whoever asks must compare the certificate with what it is to be.
func ServerCertificate(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", fleet.Errorf(fleet.Invalid, "%q is not the address of an LXD server", address).WithField("url").
			WithHint("write it as https://10.0.0.1:8443")
	}
	dialer := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 10 * time.Second},
		Config:    &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // see above
	}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return "", transportError(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	chain := conn.(*tls.Conn).ConnectionState().PeerCertificates //nolint:errcheck,forcetypeassert // by tls.Dialer
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[0].Raw})), nil
}

// Fingerprint is LXD's name for a certificate, given as PEM: the SHA-256 of it in hexadecimal digits.
// Empty where it is none.
func Fingerprint(certificate string) string {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	return hex.EncodeToString(sum[:])
}

// Trusted reports whether LXD trusts our client certificate.
func (c *Client) Trusted(ctx context.Context) (bool, error) {
	s, err := c.serverInfo(ctx)
	return err == nil && s.Auth == "trusted", within(err, "ask whether we are trusted")
}

// Certificate gives the certificate that the server or cluster answers with, PEM.
func (c *Client) Certificate(ctx context.Context) (string, error) {
	s, err := c.serverInfo(ctx)
	return s.Environment.Certificate, within(err, "read the server's certificate")
}

// AskTrust has LXD trust the client certificate of this connection, by the trust token that `lxc
// config trust add` printed, or by the trust password of older servers. What LXD does not accept is
// fleet.Forbidden.
func (c *Client) AskTrust(ctx context.Context, name, secret string) error {
	s, err := c.serverInfo(ctx)
	if err != nil {
		return within(err, "ask for trust")
	}
	post := map[string]any{"type": api.CertificateTypeClient, "name": name}
	if slices.Contains(s.APIExtensions, "explicit_trust_token") {
		post["trust_token"] = secret
	} else {
		post["password"] = secret
	}
	_, err = c.call(ctx, request{method: http.MethodPost, path: "/certificates", global: true, body: post}, nil)
	return within(err, "ask for trust")
}

// EnsureTrusted has LXD trust another client certificate, PEM.
func (c *Client) EnsureTrusted(ctx context.Context, name, certificate string) error {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return fleet.Errorf(fleet.Internal, "what is to be trusted is no certificate")
	}
	err := c.getGlobal(ctx, "/certificates/"+Fingerprint(certificate), nil, nil)
	if !isCode(err, fleet.NotFound) {
		return within(err, "trust the certificate of %s", name)
	}
	post := map[string]any{
		"type": api.CertificateTypeClient, "name": name, "certificate": base64.StdEncoding.EncodeToString(block.Bytes),
	}
	_, err = c.call(ctx, request{method: http.MethodPost, path: "/certificates", global: true, body: post}, nil)
	return within(err, "trust the certificate of %s", name)
}

// EnsureDistrusted has LXD trust a client certificate no more; one it does not know is success. Our
// own may be it.
func (c *Client) EnsureDistrusted(ctx context.Context, certificate string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, path: "/certificates/" + Fingerprint(certificate), global: true}, nil)
	if isCode(err, fleet.NotFound) {
		return nil
	}
	return within(err, "take back the trust in a certificate")
}
