package fleet

import "time"

// CertificateState is how far a host's certificate is.
type CertificateState string

// The states of a certificate.
const (
	CertificateNone     CertificateState = "none"     // nobody has asked for it yet
	CertificateOrdering CertificateState = "ordering" // being obtained
	CertificateValid    CertificateState = "valid"
	CertificateFailing  CertificateState = "failing" // the last order failed; LastError says why
)

// Certificate is what is known of the certificate for one host.
type Certificate struct {
	Host      string           `json:"host"` // the name asked for; the certificate may be a wildcard
	State     CertificateState `json:"state"`
	Issuer    string           `json:"issuer,omitempty"` // the authority: a directory URL, or "internal"
	NotBefore time.Time        `json:"not_before,omitzero"`
	NotAfter  time.Time        `json:"not_after,omitzero"`
	// LastError is the reason of the last order that failed since a certificate was obtained.
	LastError string    `json:"last_error,omitempty"`
	LastTry   time.Time `json:"last_try,omitzero"` // of the order that failed
	NextTry   time.Time `json:"next_try,omitzero"` // not before this; zero where nothing failed
}
