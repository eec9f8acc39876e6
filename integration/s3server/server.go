package s3server

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/lxdfleet/lxdfleet/integration/daemon"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

// binary is what make tools calls it.
const binary = "versitygw-1.8.0"

// Server is a running S3 server.
type Server struct {
	*daemon.Daemon
	tb      testing.TB
	addr    string
	buckets atomic.Int64
}

// Start starts a server with nothing in it.
func Start(tb testing.TB) *Server {
	tb.Helper()
	return StartIn(tb, tb.TempDir())
}

// StartIn starts a server over a folder. The arguments go to versitygw's backend.
func StartIn(tb testing.TB, dir string, args ...string) *Server {
	tb.Helper()
	s := &Server{tb: tb, addr: daemon.FreeAddr(tb)}
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		tb.Fatal(err)
	}
	all := []string{
		"--access", "access", "--secret", "secret", "--region", "us-east-1", "--port", net.JoinHostPort(host, port), "--quiet", "posix",
	}
	s.Daemon = daemon.Start(tb, binary, nil, append(append(all, args...), dir)...)
	s.Ready()
	return s
}

// Ready waits until the server answers.
func (s *Server) Ready() { s.tb.Helper(); s.Await(func() bool { return daemon.Answers(s.addr) }) }

// Bucket makes a new empty bucket and says how to reach it.
func (s *Server) Bucket() s3.Config {
	s.tb.Helper()
	return s.bucket(minio.MakeBucketOptions{})
}

// LockingBucket makes a new bucket whose objects can be locked. The server has to keep versions.
func (s *Server) LockingBucket() s3.Config {
	s.tb.Helper()
	return s.bucket(minio.MakeBucketOptions{ObjectLocking: true})
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.addr }

func (s *Server) bucket(options minio.MakeBucketOptions) s3.Config {
	s.tb.Helper()
	cfg := s3.Config{
		Endpoint: "http://" + s.addr, Region: "us-east-1", Bucket: fmt.Sprintf("test-%d", s.buckets.Add(1)),
		AccessKey: "access", SecretKey: "secret", PathStyle: true,
	}
	options.Region = cfg.Region
	b, err := s3.Open(cfg)
	if err == nil {
		err = b.Client().MakeBucket(context.Background(), cfg.Bucket, options)
	}
	if err != nil {
		s.tb.Fatalf("make a bucket: %v", err)
	}
	return cfg
}
