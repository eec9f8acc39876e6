package clusters

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Pair is a client certificate and its key, PEM.
type Pair struct{ Cert, Key string }

// validFor is how long a certificate of ours is good: long enough for a cluster that is away for
// months, short enough that one that leaked ends.
const validFor = 2 * 365 * 24 * time.Hour

// newPair makes a certificate that signs itself, as LXD's own clients have it.
func newPair(cluster fleet.Name, now time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return Pair{}, fmt.Errorf("make a serial number: %w", err)
	}
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"lxdfleet"}, CommonName: "lxdfleet " + cluster.String()},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validFor), // the other clock may be behind
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return Pair{}, fmt.Errorf("make a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("write down a key: %w", err)
	}
	return Pair{
		Cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}, nil
}

// keys are the files of a folder: NAME.pem is in use, NAME.next.pem about to be.
type keys struct{ dir string }

func (k keys) file(cluster fleet.Name, next bool) string {
	if next {
		return filepath.Join(k.dir, cluster.String()+".next.pem")
	}
	return filepath.Join(k.dir, cluster.String()+".pem")
}

// load reads a pair; fleet.NotFound where there is none.
func (k keys) load(cluster fleet.Name, next bool) (Pair, error) {
	text, err := os.ReadFile(k.file(cluster, next))
	if errors.Is(err, fs.ErrNotExist) {
		return Pair{}, fleet.Errorf(fleet.NotFound, "the key for the cluster %s is missing: %s", cluster, k.file(cluster, next)).
			WithHint("restore the file, or remove the cluster and add it again: lxdfleet cluster remove --force %s", cluster)
	}
	if err != nil {
		return Pair{}, fmt.Errorf("read the key for the cluster %s: %w", cluster, err)
	}
	cert, key, ok := strings.Cut(string(text), "-----BEGIN PRIVATE KEY-----")
	if !ok {
		return Pair{}, fleet.Errorf(fleet.Failed, "the key for the cluster %s is damaged: %s", cluster, k.file(cluster, next)).
			WithHint("restore the file, or remove the cluster and add it again: lxdfleet cluster remove --force %s", cluster)
	}
	return Pair{Cert: cert, Key: "-----BEGIN PRIVATE KEY-----" + key}, nil
}

// save writes a pair whole or not at all; only the daemon's user may read it.
func (k keys) save(cluster fleet.Name, next bool, p Pair) error {
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return fmt.Errorf("keep the key for the cluster %s: %w", cluster, err)
	}
	file, err := os.CreateTemp(k.dir, ".new-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("keep the key for the cluster %s: %w", cluster, err)
	}
	_, err = file.WriteString(p.Cert + p.Key)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), k.file(cluster, next))
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("keep the key for the cluster %s: %w", cluster, err)
	}
	return nil
}

// promote has the next pair be the one in use.
func (k keys) promote(cluster fleet.Name) error {
	if err := os.Rename(k.file(cluster, true), k.file(cluster, false)); err != nil {
		return fmt.Errorf("use the new key for the cluster %s: %w", cluster, err)
	}
	return nil
}

func (k keys) drop(cluster fleet.Name) error {
	for _, next := range []bool{true, false} {
		if err := os.Remove(k.file(cluster, next)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete the key for the cluster %s: %w", cluster, err)
		}
	}
	return nil
}
