package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/libdns/cloudflare"
	"github.com/libdns/rfc2136"
	"github.com/mholt/acmez/v3/acme"

	"github.com/lxdfleet/lxdfleet/internal/config"
	"github.com/lxdfleet/lxdfleet/internal/fleet"
	"github.com/lxdfleet/lxdfleet/internal/proxy/certs"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

// certStorage is where certificates are kept.
func (a *App) certStorage(ctx context.Context) (certmagic.Storage, error) {
	switch a.cfg.TLS.Storage {
	case "database":
		return a.store.CertStorage(), nil
	case "s3":
		return bucketStorage(ctx, a.cfg.S3, a.log)
	}
	return &certmagic.FileStorage{Path: filepath.Join(a.cfg.DataDir, "certificates")}, nil
}

func bucketStorage(ctx context.Context, cfg config.S3, log *slog.Logger) (certmagic.Storage, error) {
	bucket, err := openBucket(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := bucket.Check(ctx); err != nil {
		// It may be back in a moment; what is saved in memory and in the table goes on.
		log.Warn("the S3 bucket for certificates cannot be reached", "error", err)
	}
	return bucket.Below("certificates").CertStorage(), nil
}

func openBucket(cfg config.S3) (*s3.Bucket, error) {
	secret, err := secretIn("s3.secret_key_file", cfg.SecretKeyFile)
	if err != nil {
		return nil, err
	}
	return s3.Open(s3.Config{
		Endpoint: cfg.Endpoint, Region: cfg.Region, Bucket: cfg.Bucket, Prefix: cfg.Prefix,
		AccessKey: cfg.AccessKey, SecretKey: secret, PathStyle: cfg.PathStyle, CAFile: cfg.CAFile,
	})
}

// acmeOf says how to get certificates from ACME authorities; nil: the internal one signs all.
func acmeOf(cfg config.Config) (*certs.ACME, error) {
	if cfg.TLS.Email == "" {
		return nil, nil //nolint:nilnil // none is a setting too
	}
	out := &certs.ACME{
		Email: cfg.TLS.Email, Everything: cfg.TLS.Everything,
		PerHour: cfg.TLS.OrdersPerHour, TenantPerHour: cfg.TLS.OrdersPerTenant,
	}
	var roots *x509.CertPool
	if cfg.TLS.AuthorityCA != "" {
		pem, err := secretIn("tls.authority_ca", cfg.TLS.AuthorityCA)
		if err != nil {
			return nil, err
		}
		roots = x509.NewCertPool()
		if !roots.AppendCertsFromPEM([]byte(pem)) {
			return nil, fleet.Errorf(fleet.Invalid, "%s has no certificate", cfg.TLS.AuthorityCA).
				WithField("tls.authority_ca").WithHint("name a PEM file")
		}
	}
	for _, directory := range cfg.TLS.Authorities {
		out.Authorities = append(out.Authorities, certs.Authority{Directory: directory, Roots: roots})
	}
	if cfg.TLS.EABKeyID != "" {
		key, err := secretIn("tls.eab_key_file", cfg.TLS.EABKeyFile)
		if err != nil {
			return nil, err
		}
		out.Authorities[0].ExternalAccount = &acme.EAB{KeyID: cfg.TLS.EABKeyID, MACKey: key}
	}
	var err error
	out.DNS, err = dnsOf(cfg.DNS)
	return out, err
}

func dnsOf(cfg config.DNS) (*certs.DNS, error) {
	if cfg.Provider == "" {
		return nil, nil //nolint:nilnil // none is a setting too
	}
	key, err := secretIn("dns.key_file", cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	out := &certs.DNS{Zones: domainsOf(cfg.Zones), Wildcards: domainsOf(cfg.Wildcards)}
	switch cfg.Provider {
	case "rfc2136":
		out.Provider = &rfc2136.Provider{KeyName: cfg.KeyName, KeyAlg: cfg.KeyAlgorithm, Key: key, Server: cfg.Server}
	case "cloudflare":
		out.Provider = &cloudflare.Provider{APIToken: key}
	}
	return out, nil
}

func domainsOf(names []string) []fleet.Domain {
	out := make([]fleet.Domain, len(names))
	for i, name := range names {
		out[i] = fleet.Domain(name)
	}
	return out
}

// secretIn reads a file that a setting names; empty where it names none.
func secretIn(field, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", fleet.Errorf(fleet.NotFound, "%s names %s, which does not exist", field, path).WithField(field)
	case err != nil:
		return "", fmt.Errorf("%s: %w", field, err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// certificates tells the tenants' domains about their certificates.
type certificates struct {
	*certs.Keeper
	app *App
}

// Retry ends the back-off after a failed order, in the background.
func (c certificates) Retry(host string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	go func() {
		defer cancel()
		if err := c.Keeper.Retry(ctx, host); err != nil && fleet.CodeOf(err) != fleet.NotFound {
			c.app.log.Warn("an order cannot be tried again now", "host", host, "error", err)
		}
	}()
}
