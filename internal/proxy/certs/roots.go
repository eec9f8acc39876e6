package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// roots are the current root of the internal CA and what is left of the one before.
type roots struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	cross *x509.Certificate // cert's key, signed by old; nil for the first root
	old   *x509.Certificate // nil for the first root
}

// Block types of the stored form, in this order.
const (
	blockKey   = "PRIVATE KEY"
	blockRoot  = "CERTIFICATE"
	blockCross = "CROSS CERTIFICATE"
	blockOld   = "OLD CERTIFICATE"
)

// newRoots makes a root that begins now and, where there was one before, its cross certificate.
func newRoots(name string, now time.Time, before *roots) (*roots, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// The end of the serial number tells roots of two installations, or of two decades,
		// apart in a trust store.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("%s %s", name, serial.Text(16)[:6])},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(rootLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            1, // room for the cross certificate of the next root
	}
	r := &roots{key: key}
	if r.cert, err = sign(template, template, key, key); err != nil {
		return nil, err
	}
	if before == nil || now.After(before.cert.NotAfter) {
		return r, nil
	}
	r.old = before.cert
	template.NotAfter = before.cert.NotAfter
	template.MaxPathLen, template.MaxPathLenZero = 0, true
	template.SubjectKeyId = r.cert.SubjectKeyId
	r.cross, err = sign(template, before.cert, key, before.key)
	return r, err
}

func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (r *roots) encode() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(r.key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: key})
	out = append(out, pem.EncodeToMemory(&pem.Block{Type: blockRoot, Bytes: r.cert.Raw})...)
	if r.old != nil {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: blockCross, Bytes: r.cross.Raw})...)
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: blockOld, Bytes: r.old.Raw})...)
	}
	return out, nil
}

func parseRoots(data []byte) (*roots, error) {
	r := &roots{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch block.Type {
		case blockKey:
			err = r.parseKey(block.Bytes)
		case blockRoot:
			r.cert, err = x509.ParseCertificate(block.Bytes)
		case blockCross:
			r.cross, err = x509.ParseCertificate(block.Bytes)
		case blockOld:
			r.old, err = x509.ParseCertificate(block.Bytes)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", block.Type, err)
		}
	}
	if r.key == nil || r.cert == nil || (r.cross == nil) != (r.old == nil) {
		return nil, errors.New("a part is missing; restore it from a backup, or remove it to have a new authority made")
	}
	if pub, ok := r.cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(&r.key.PublicKey) {
		return nil, errors.New("the key is not that of the certificate; restore it from a backup")
	}
	return r, nil
}

func (r *roots) parseKey(der []byte) error {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("a %T is not an ECDSA key", key)
	}
	r.key = ec
	return nil
}
