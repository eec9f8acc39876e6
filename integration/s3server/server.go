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
	s := &Server{tb: tb, addr: daemon.FreeAddr(tb)}
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		tb.Fatal(err)
	}
	s.Daemon = daemon.Start(tb, binary, nil, "--access", "access", "--secret", "secret", "--region", "us-east-1",
		"--port", net.JoinHostPort(host, port), "--quiet", "posix", tb.TempDir())
	s.Ready()
	return s
}

// Ready waits until the server answers.
func (s *Server) Ready() { s.tb.Helper(); s.Await(func() bool { return daemon.Answers(s.addr) }) }

// Bucket makes a new empty bucket and says how to reach it.
func (s *Server) Bucket() s3.Config {
	s.tb.Helper()
	cfg := s3.Config{
		Endpoint: "http://" + s.addr, Region: "us-east-1", Bucket: fmt.Sprintf("test-%d", s.buckets.Add(1)),
		AccessKey: "access", SecretKey: "secret", PathStyle: true,
	}
	b, err := s3.Open(cfg)
	if err == nil {
		err = b.Client().MakeBucket(context.Background(), cfg.Bucket, minio.MakeBucketOptions{Region: cfg.Region})
	}
	if err != nil {
		s.tb.Fatalf("make a bucket: %v", err)
	}
	return cfg
}
