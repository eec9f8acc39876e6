package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Config says where a bucket is and how to enter it.
type Config struct {
	// Endpoint is the server's URL, https://s3.example or http://127.0.0.1:7070.
	Endpoint string
	// Region may be empty where the server has none.
	Region string
	// Bucket has to exist.
	Bucket string
	// Prefix is the folder that everything is kept in; empty: the bucket itself.
	Prefix string
	// AccessKey and SecretKey; where both are empty they are those of the environment variables
	// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
	AccessKey, SecretKey string
	// PathStyle asks for https://endpoint/bucket rather than https://bucket.endpoint, which
	// most servers but AWS want.
	PathStyle bool
	// CAFile is a PEM file of what the server's certificate has to come from; empty: the system's.
	CAFile string
	// Attempts is how often a request is made that the server does not answer; 0: 10.
	Attempts int
}

// Bucket is an open bucket, or the part of it below a prefix. Its methods may be called from any
// goroutine.
type Bucket struct {
	client *minio.Client
	name   string
	prefix string // empty, or ends in a slash
	where  string
}

// Open prepares the way to a bucket. The server is not asked yet: it may be down now, see Check.
// Errors are of code Invalid.
func Open(cfg Config) (*Bucket, error) {
	invalid := func(field, hint, format string, args ...any) error {
		return fleet.Errorf(fleet.Invalid, format, args...).WithField(field).WithHint("%s", hint)
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" {
		return nil, invalid("endpoint", "write it as https://s3.example", "%q is not the address of an S3 server", cfg.Endpoint)
	}
	if cfg.Bucket == "" {
		return nil, invalid("bucket", "name a bucket", "no bucket is named")
	}
	options := &minio.Options{Secure: u.Scheme == "https", Region: cfg.Region, BucketLookup: minio.BucketLookupDNS, MaxRetries: cfg.Attempts}
	if cfg.PathStyle {
		options.BucketLookup = minio.BucketLookupPath
	}
	switch {
	case cfg.AccessKey != "" && cfg.SecretKey != "":
		options.Creds = credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, "")
	case cfg.AccessKey != "" || cfg.SecretKey != "":
		return nil, invalid("access_key", "give both, or neither to use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
			"of access key and secret key one is missing")
	default:
		options.Creds = credentials.NewEnvAWS()
	}
	if options.Transport, err = transport(cfg, options.Secure); err != nil {
		return nil, invalid("ca_file", "name a PEM file of certificates", "the server's authority cannot be read: %w", err)
	}
	client, err := minio.New(u.Host, options)
	if err != nil {
		return nil, invalid("endpoint", "see the message", "the S3 server cannot be used: %w", err)
	}
	b := &Bucket{client: client, name: cfg.Bucket, where: "bucket " + cfg.Bucket + " at " + u.Host}
	return b.Below(cfg.Prefix), nil
}

func transport(cfg Config, secure bool) (*http.Transport, error) {
	t, err := minio.DefaultTransport(secure)
	if err != nil || cfg.CAFile == "" {
		return t, err
	}
	data, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, errors.New("there is no certificate in " + cfg.CAFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// Below gives the part of the bucket in a folder.
func (b *Bucket) Below(folder string) *Bucket {
	part := *b
	if folder = strings.Trim(path.Clean("/"+folder), "/"); folder != "" {
		part.prefix += folder + "/"
	}
	return &part
}

// Client is for what the methods here do not do; with Name, and names of objects from Key.
func (b *Bucket) Client() *minio.Client { return b.client }

// Name is the bucket's.
func (b *Bucket) Name() string { return b.name }

// String names the bucket, for people.
func (b *Bucket) String() string { return b.where }

// Key gives the name that an object has in the whole bucket.
func (b *Bucket) Key(object string) string { return b.prefix + object }

// Check asks the server whether the bucket is there and may be entered.
func (b *Bucket) Check(ctx context.Context) error {
	found, err := b.client.BucketExists(ctx, b.name)
	if err != nil {
		return b.fail("look for it", err)
	}
	if !found {
		return fleet.Errorf(fleet.NotFound, "there is no %s", b.where).WithField("bucket").WithHint("make it, or name another one")
	}
	return nil
}

// fail turns what went wrong into a fleet error. Those of a context pass in the chain.
func (b *Bucket) fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	switch minio.ToErrorResponse(err).Code {
	case minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch":
		return fleet.Errorf(fleet.Forbidden, "%s: %s: %w", b.where, doing, err).
			WithHint("check the access key, the secret key and what they may do")
	}
	return fleet.Errorf(fleet.Unavailable, "%s: %s: %w", b.where, doing, err).WithHint("see whether the S3 server answers")
}

// is reports whether the server refused with one of the codes.
func is(err error, codes ...string) bool {
	got := minio.ToErrorResponse(err).Code
	for _, c := range codes {
		if got == c {
			return true
		}
	}
	return false
}
