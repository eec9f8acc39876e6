package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	accessKey = "access"
	secretKey = "secretsecret"
)

// server is the S3 server.
type server struct {
	addr   string
	client *minio.Client
}

// startServer starts the S3 server over a new folder, and gives what ends it.
func startServer(ctx context.Context, binary, dir string) (*server, func(), error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	addr := l.Addr().String()
	_ = l.Close()
	cmd := exec.Command(binary, "--access", accessKey, "--secret", secretKey, "--region", "us-east-1", "--port", addr, "--quiet", "posix", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	client, err := minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1"})
	if err != nil {
		stop()
		return nil, nil, err
	}
	for range 200 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return &server{addr, client}, stop, nil
		}
		if ctx.Err() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return nil, nil, fmt.Errorf("%s does not answer", binary)
}

func (s *server) bucket(ctx context.Context, name string) error {
	return s.client.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: "us-east-1"})
}

// took is what a process took.
type took struct {
	time   time.Duration
	cpu    time.Duration
	memory int64 // most at once, in bytes
	out    []byte
	bytes  int64 // written by it
}

// process runs a command and says what it took. What it writes is kept when it is little.
func process(ctx context.Context, in io.Reader, env []string, name string, args ...string) (took, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin = in
	var complaints bytes.Buffer
	out := &counter{}
	cmd.Stdout, cmd.Stderr = out, &complaints
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return took{}, fmt.Errorf("%s %s: %w: %s", name, args[0], err, complaints.Bytes())
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return took{}, fmt.Errorf("%s: no usage is told", name)
	}
	return took{
		time: time.Since(began), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		memory: usage.Maxrss << 10, out: out.first, bytes: out.n,
	}, nil
}

// counter counts what it is given, and keeps the first of it.
type counter struct {
	first []byte
	n     int64
}

func (c *counter) Write(p []byte) (int, error) {
	if room := 64<<10 - len(c.first); room > 0 {
		c.first = append(c.first, p[:min(room, len(p))]...)
	}
	c.n += int64(len(p))
	return len(p), nil
}
