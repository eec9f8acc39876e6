package tenants

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	// CredentialsFile is where the personalize hook leaves a tenant's first credentials, in its instance.
	CredentialsFile = "/root/lxdfleet-credentials"
	// credentialsMost is how much of it is read.
	credentialsMost = 64 << 10
	// credentialsFor is how long a link to it is good.
	credentialsFor = 3 * 24 * time.Hour
)

// Credentials are what the personalize hook left for people, such as a password.
type Credentials struct {
	Tenant fleet.Tenant
	Text   string
}

// CredentialsUsed is when a tenant's first credentials were last shown by a link; zero: never.
func (s *Service) CredentialsUsed(ctx context.Context, name fleet.Name) (time.Time, error) {
	t, err := s.tenant(ctx, name)
	if err != nil {
		return time.Time{}, err
	}
	return s.Store.TenantLinkUsed(ctx, t.ID)
}

// CredentialsLink makes the secret of a link that shows a tenant's first credentials once. Earlier
// ones stay good until one of them is used. fleet.NotFound where the tenant's image makes none.
func (s *Service) CredentialsLink(ctx context.Context, name fleet.Name) (secret string, until time.Time, err error) {
	t, err := s.altered(ctx, name)
	if err != nil {
		return "", time.Time{}, err
	}
	makes, err := s.makesCredentials(ctx, t)
	if err != nil {
		return "", time.Time{}, err
	}
	if !makes {
		return "", time.Time{}, noCredentials(t.Name)
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", time.Time{}, fmt.Errorf("make a secret: %w", err)
	}
	secret = base64.RawURLEncoding.EncodeToString(random[:])
	now := s.opt.Now()
	until = now.Add(credentialsFor)
	if err := s.Store.SaveTenantLink(ctx, t.ID, hashOf(secret), now, until); err != nil {
		return "", time.Time{}, err
	}
	return secret, until, nil
}

func (s *Service) makesCredentials(ctx context.Context, t fleet.Tenant) (bool, error) {
	if t.Image.Name == "" {
		return false, nil
	}
	image, err := s.Images.GoldenImage(ctx, t.Image)
	if fleet.CodeOf(err) == fleet.NotFound {
		return true, nil // the version is gone, the file may be there
	}
	if err != nil {
		return false, fmt.Errorf("read image %s: %w", t.Image, err)
	}
	return slices.Contains(image.Hooks, "personalize"), nil
}

func noCredentials(name fleet.Name) error {
	return fleet.Errorf(fleet.NotFound, "tenant %s has no first credentials", name).
		WithHint("its golden image makes none: a personalize hook writes them to %s", CredentialsFile)
}

// UseCredentialsLink shows the credentials that a link is for. The link is good no more then;
// where they cannot be read it stays good. fleet.Unauthenticated where it is not good.
func (s *Service) UseCredentialsLink(ctx context.Context, secret string) (Credentials, error) {
	hash, now := hashOf(secret), s.opt.Now()
	id, err := s.Store.TenantLink(ctx, hash, now)
	if err != nil {
		return Credentials{}, err
	}
	t, err := s.Store.TenantByID(ctx, id)
	if err != nil {
		return Credentials{}, fmt.Errorf("read the tenant of a link: %w", err)
	}
	text, err := s.credentials(ctx, t)
	if err != nil {
		return Credentials{}, err
	}
	if err := s.Store.UseTenantLink(ctx, hash, now); err != nil {
		return Credentials{}, err
	}
	return Credentials{Tenant: t, Text: text}, nil
}

func (s *Service) credentials(ctx context.Context, t fleet.Tenant) (string, error) {
	var printed, complaint tail
	exit, err := s.Exec(ctx, t.Name, fleet.ExecSpec{
		Command: []string{"head", "-c", fmt.Sprint(credentialsMost), CredentialsFile}, Stdout: &printed, Stderr: &complaint,
	})
	switch {
	case err != nil:
		return "", err
	case exit != 0 || len(printed.kept) == 0:
		return "", noCredentials(t.Name)
	}
	return printed.String(), nil
}

// hashOf is what is stored of a secret of 256 random bits, which needs no slow hash.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
