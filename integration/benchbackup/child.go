package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"github.com/lxdfleet/lxdfleet/internal/backups/repository"
	"github.com/lxdfleet/lxdfleet/internal/s3"
)

// passphrase is that of all repositories, restic's too.
const passphrase = "benchmark"

// told is what a child tells its parent.
type told struct {
	ID    string
	Moved int64
	Used  int64
}

// child is one process that writes or reads a backup.
func child(ctx context.Context, what string, args []string) error {
	flags := flag.NewFlagSet(what, flag.ExitOnError)
	location := flags.String("location", "", "the repository")
	endpoint := flags.String("endpoint", "", "the S3 server")
	cache := flags.String("cache", "", "folder for the cache")
	tenant := flags.String("tenant", "tenant", "whose backup it is")
	id := flags.String("id", "", "backup to read")
	fresh := flags.Bool("init", false, "make the repository")
	parallel := flags.Int("parallel", 0, "uploads at once")
	profile := flags.String("profile", "", "file for a profile of the processor's time")
	_ = flags.Parse(args)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	o := repository.Options{
		Location: *location, Passphrase: passphrase, CacheDir: *cache, Limits: repository.Limits{Parallel: *parallel},
		S3: s3.Config{Endpoint: *endpoint, Region: "us-east-1", AccessKey: accessKey, SecretKey: secretKey, PathStyle: true},
	}
	if *fresh {
		r, err := repository.Init(ctx, o, repository.Lock{})
		if err != nil {
			return err
		}
		if err := r.Close(ctx); err != nil {
			return err
		}
	}
	r, err := repository.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close(ctx) }()
	if what == "read" {
		return r.Read(ctx, *id, os.Stdout, nil)
	}
	s, err := r.Write(ctx, repository.Meta{Tenant: *tenant, TakenAt: time.Now()}, io.Reader(os.Stdin), nil)
	if err != nil {
		return err
	}
	st, err := r.Stats(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(told{ID: s.ID, Moved: s.Moved, Used: st.Used})
}
