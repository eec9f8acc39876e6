package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy"
)

// Identity is by what a proxy and its controller know each other. It is kept in a file of mode
// 0600.
type Identity struct {
	Controller string `json:"controller"` // https://host:port
	Authority  string `json:"authority"`  // PEM: what the controller's certificate comes from
	Key        string `json:"key"`        // PEM
	Cert       string `json:"certificate"`
	TokenHash  string `json:"token_hash"` // of the token it joined with

	pair tls.Certificate
	pool *x509.CertPool
}

// Name is the proxy's.
func (i *Identity) Name() string { return i.pair.Leaf.Subject.CommonName }

// JoinedWith reports whether the proxy joined with this token.
func (i *Identity) JoinedWith(t Token) bool { return i.TokenHash == hashSecret(t.Secret) }

// LoadIdentity reads what SaveIdentity wrote; fs.ErrNotExist where the proxy has not joined.
func LoadIdentity(path string) (*Identity, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the proxy's identity: %w", err)
	}
	i := &Identity{}
	if err = json.Unmarshal(data, i); err == nil {
		err = i.parse()
	}
	if err != nil {
		return nil, fleet.Errorf(fleet.Invalid, "the proxy's identity in %s is broken: %w", path, err).
			WithHint("remove the file, and join again with a token from `lxdfleet proxy token`")
	}
	return i, nil
}

// Save keeps the identity at path.
func (i *Identity) Save(path string) error {
	data, err := json.MarshalIndent(i, "", " ")
	if err == nil {
		err = proxy.WriteDurably(path, data)
	}
	if err != nil {
		return fmt.Errorf("save the proxy's identity: %w", err)
	}
	return nil
}

// parse reads key and certificates.
func (i *Identity) parse() (err error) {
	if _, err := ParseAddress(i.Controller); err != nil {
		return err
	}
	if i.pair, err = tls.X509KeyPair([]byte(i.Cert), []byte(i.Key)); err != nil {
		return err
	}
	i.pool = x509.NewCertPool()
	if !i.pool.AppendCertsFromPEM([]byte(i.Authority)) {
		return errors.New("it has no authority")
	}
	return nil
}

// tls are the settings of a connection to the controller.
func (i *Identity) tls(now func() time.Time) *tls.Config {
	return &tls.Config{
		Time:       now,
		MinVersion: tls.VersionTLS13, ServerName: controllerName, RootCAs: i.pool,
		Certificates: []tls.Certificate{i.pair},
	}
}

// Join has a proxy of this name (that of the token, where that has one) join the fleet. controller
// is where to; empty: where the token says. Errors say what to do.
func Join(ctx context.Context, t Token, controller, name string) (*Identity, error) {
	if controller == "" {
		controller = t.Address
	}
	if t.Name != "" {
		name = t.Name
	}
	if _, err := fleet.ParseProxyName(name); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	csr, err := request(key)
	if err != nil {
		return nil, err
	}
	var authority *x509.Certificate
	c, err := newCaller(controller, &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Checked below, against the one thing that is known: the authority's fingerprint.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) (err error) {
			authority, err = pinned(s, t.Fingerprint)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	defer c.close()
	var got joinAnswer
	if err := c.json(ctx, http.MethodPost, pathJoin, joinRequest{Secret: t.Secret, Name: name, Request: string(csr)}, &got); err != nil {
		return nil, fmt.Errorf("join the fleet: %w", err)
	}
	i := &Identity{
		Controller: c.base.String(), Authority: string(encodeCert(authority.Raw)), Key: string(keyPEM),
		Cert: got.Certificate, TokenHash: hashSecret(t.Secret),
	}
	return i, i.parse()
}

var errOtherController = errors.New("it is not the controller that made the token")

// pinned gives the authority of the other side if it is the one with the fingerprint.
func pinned(s tls.ConnectionState, want string) (*x509.Certificate, error) {
	chain := s.PeerCertificates
	if len(chain) != 2 || fingerprint(chain[1]) != want {
		return nil, errOtherController
	}
	roots := x509.NewCertPool()
	roots.AddCert(chain[1])
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: controllerName}); err != nil {
		return nil, err
	}
	return chain[1], nil
}

// renewed gives the identity with a new certificate for the same key.
func (i *Identity) renewed(ctx context.Context, c *caller) (*Identity, error) {
	key, ok := i.pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the proxy's key is not of the sort that lxdfleet makes")
	}
	csr, err := request(key)
	if err != nil {
		return nil, err
	}
	var got joinAnswer
	if err := c.json(ctx, http.MethodPost, pathRenew, joinRequest{Request: string(csr)}, &got); err != nil {
		return nil, err
	}
	fresh := *i
	fresh.Cert = got.Certificate
	return &fresh, fresh.parse()
}

// expired says in words where the certificate has ended.
func (i *Identity) expired(now time.Time) error {
	if now.Before(i.pair.Leaf.NotAfter) {
		return nil
	}
	return fleet.Errorf(fleet.Forbidden, "the certificate of this proxy ended on %s", i.pair.Leaf.NotAfter.Format(time.DateOnly)).
		WithHint("remove the proxy on the controller, get a token there with `lxdfleet proxy token`, and start the proxy with --token")
}
