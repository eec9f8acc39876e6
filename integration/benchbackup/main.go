// Command benchbackup measures how fast backups get to a local S3 server and back, beside restic
// with the same tar stream in the same run, and how many bytes move for what has changed. Each
// write and read is a process of its own, whose memory is told; figures are medians.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchbackup:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "write", "read":
			return child(ctx, os.Args[1], os.Args[2:])
		case "image":
			return imageChild(os.Args[2:])
		}
	}
	var (
		rounds = flag.Int("rounds", 3, "measure each case so many times")
		mib    = flag.Int("mib", 1024, "size of the stream, in MiB")
		from   = flag.String("from", "/usr", "folder whose files are half of the stream")
		dir    = flag.String("dir", "", "folder for the streams and the server's data; empty: a temporary one")
		server = flag.String("server", "bin/versitygw-1.8.0", "the S3 server")
		gate   = flag.Bool("gate", true, "exit 1 where a target is missed")
	)
	flag.Parse()
	work, err := os.MkdirTemp(*dir, "benchbackup-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	s3, stop, err := startServer(ctx, *server, filepath.Join(work, "s3"))
	if err != nil {
		return err
	}
	defer stop()
	b := &bench{ctx: ctx, work: work, s3: s3, rounds: *rounds}
	if b.image, err = b.makeImage(filepath.Join(work, "image.tar"), *from, *mib); err != nil {
		return err
	}
	if err := b.speed(); err != nil {
		return err
	}
	if err := b.changes(); err != nil {
		return err
	}
	if err := b.tenants(); err != nil {
		return err
	}
	if b.missed && *gate {
		return fmt.Errorf("a target is missed")
	}
	return nil
}
