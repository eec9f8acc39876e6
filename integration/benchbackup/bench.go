package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// bench is one run.
type bench struct {
	ctx    context.Context //nolint:containedctx // of the whole run
	work   string
	s3     *server
	rounds int
	image  image
	missed bool
	made   int // repositories
}

// Targets.
const (
	leastSpeed    = 0.7       // of restic's
	mostMemory    = 400 << 20 // bytes
	mostUnchanged = 0.01      // of the size
	mostChanged   = 1.2       // of the change
	mostTenants   = 1.3       // of one image and the changes
)

// place is a new repository's.
func (b *bench) place(kind string) (bucket, cache string, err error) {
	b.made++
	bucket = fmt.Sprintf("%s-%d", kind, b.made)
	return bucket, filepath.Join(b.work, bucket+"-cache"), b.s3.bucket(b.ctx, bucket)
}

// turn is a write and a read.
type turn struct{ write, read took }

func (b *bench) speed() error {
	var ours, theirs []turn
	for round := range b.rounds {
		// Turns alternate, so that a slow spell of the machine hits both.
		pair := []func() error{
			func() error { t, err := b.lxdfleet(); ours = append(ours, t); return err },
			func() error { t, err := b.restic(); theirs = append(theirs, t); return err },
		}
		if round%2 == 1 {
			slices.Reverse(pair)
		}
		for _, do := range pair {
			if err := do(); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "  round %d of %d\n", round+1, b.rounds)
	}
	fmt.Printf("%-8s %-9s %8s %8s %8s %10s   target\n", "", "", "seconds", "MB/s", "CPU s", "memory MB")
	for _, way := range []struct {
		name string
		of   func(turn) took
	}{{"backup", func(t turn) took { return t.write }}, {"restore", func(t turn) took { return t.read }}} {
		r := b.row(way.name, "restic", theirs, way.of)
		o := b.row(way.name, "lxdfleet", ours, way.of)
		ratio := r.time.Seconds() / o.time.Seconds()
		b.verdict(ratio >= leastSpeed, "%.2f × restic's speed, at least %.1f", ratio, leastSpeed)
		b.verdict(o.memory < mostMemory, "%d MB of memory, less than %d", o.memory>>20, mostMemory>>20)
	}
	return nil
}

// row prints the middle of the turns.
func (b *bench) row(way, name string, turns []turn, of func(turn) took) took {
	var all []took
	for _, t := range turns {
		all = append(all, of(t))
	}
	slices.SortFunc(all, func(x, y took) int { return int(x.time - y.time) })
	mid := all[len(all)/2]
	for _, t := range all {
		mid.memory = max(mid.memory, t.memory)
	}
	fmt.Printf("%-8s %-9s %8.2f %8.0f %8.2f %10d\n", way, name, mid.time.Seconds(),
		float64(b.image.size)/1e6/mid.time.Seconds(), mid.cpu.Seconds(), mid.memory>>20)
	return mid
}

func (b *bench) verdict(met bool, format string, args ...any) {
	word := "met"
	if !met {
		word, b.missed = "MISSED", true
	}
	fmt.Printf("%70s %s\n", fmt.Sprintf(format, args...), word)
}

// self runs this program as a child.
func (b *bench) self(in *image, what, bucket, cache string, args ...string) (took, error) {
	program, err := os.Executable()
	if err != nil {
		return took{}, err
	}
	args = append([]string{what, "--location", "s3://" + bucket + "/fleet", "--endpoint", "http://" + b.s3.addr, "--cache", cache}, args...)
	return b.fed(in, nil, program, args...)
}

// fed runs a process that reads a stream.
func (b *bench) fed(in *image, env []string, name string, args ...string) (took, error) {
	if in == nil {
		return process(b.ctx, nil, env, name, args...)
	}
	f, err := os.Open(in.path)
	if err != nil {
		return took{}, err
	}
	defer f.Close()
	return process(b.ctx, f, env, name, args...)
}

func (b *bench) lxdfleet() (t turn, err error) {
	bucket, cache, err := b.place("lxdfleet")
	if err != nil {
		return t, err
	}
	small, err := b.image.empty(filepath.Join(b.work, "empty.tar"))
	if err != nil {
		return t, err
	}
	if _, err := b.self(&small, "write", bucket, cache, "--init"); err != nil {
		return t, err
	}
	if t.write, err = b.self(&b.image, "write", bucket, cache); err != nil {
		return t, err
	}
	var wrote told
	if err := json.Unmarshal(t.write.out, &wrote); err != nil {
		return t, err
	}
	if t.read, err = b.self(nil, "read", bucket, cache, "--id", wrote.ID); err != nil {
		return t, err
	}
	return t, b.whole(t)
}

func (b *bench) restic() (t turn, err error) {
	bucket, cache, err := b.place("restic")
	if err != nil {
		return t, err
	}
	env := []string{
		"RESTIC_PASSWORD=" + passphrase, "RESTIC_CACHE_DIR=" + cache, "AWS_ACCESS_KEY_ID=" + accessKey,
		"AWS_SECRET_ACCESS_KEY=" + secretKey, "RESTIC_REPOSITORY=s3:http://" + b.s3.addr + "/" + bucket,
	}
	if _, err := b.fed(nil, env, "restic", "init"); err != nil {
		return t, err
	}
	if t.write, err = b.fed(&b.image, env, "restic", "backup", "--stdin", "--stdin-filename", "tenant.tar"); err != nil {
		return t, err
	}
	if t.read, err = b.fed(nil, env, "restic", "dump", "latest", "/tenant.tar"); err != nil {
		return t, err
	}
	return t, b.whole(t)
}

// whole checks that all of the stream came back.
func (b *bench) whole(t turn) error {
	if t.read.bytes != b.image.size {
		return fmt.Errorf("%d bytes came back of %d", t.read.bytes, b.image.size)
	}
	return nil
}

// write writes a stream and gives what was told.
func (b *bench) write(in image, bucket, cache, tenant string, args ...string) (told, error) {
	t, err := b.self(&in, "write", bucket, cache, append(args, "--tenant", tenant)...)
	if err != nil {
		return told{}, err
	}
	var out told
	return out, json.Unmarshal(t.out, &out)
}

// changes measures what moves of what has changed.
func (b *bench) changes() error {
	bucket, cache, err := b.place("changes")
	if err != nil {
		return err
	}
	first, err := b.write(b.image, bucket, cache, "one", "--init")
	if err != nil {
		return err
	}
	same, err := b.write(b.image, bucket, cache, "one")
	if err != nil {
		return err
	}
	const change = 100 << 20
	more, err := b.image.with(filepath.Join(b.work, "more.tar"), "./var/www/uploads/new.bin", noise(uint64(time.Now().Unix()), change))
	if err != nil {
		return err
	}
	changed, err := b.write(more, bucket, cache, "one")
	if err != nil {
		return err
	}
	fmt.Printf("\nbytes moved of %d MB: first %.1f MB, unchanged %.3f MB, with %d MB new %.1f MB\n",
		b.image.size>>20, mb(first.Moved), mb(same.Moved), change>>20, mb(changed.Moved))
	b.verdict(float64(same.Moved) < mostUnchanged*float64(b.image.size), "%.4f of the size for nothing changed, at most %.2f",
		float64(same.Moved)/float64(b.image.size), mostUnchanged)
	b.verdict(float64(changed.Moved) < mostChanged*change, "%.2f × what has changed, at most %.1f", float64(changed.Moved)/change, mostChanged)
	return os.Remove(more.path)
}

// tenants measures what ten tenants of one image take.
func (b *bench) tenants() error {
	bucket, cache, err := b.place("tenants")
	if err != nil {
		return err
	}
	const (
		count = 10
		own   = 5 << 20
	)
	one, err := b.write(b.image, bucket, cache, "golden", "--init")
	if err != nil {
		return err
	}
	var all told
	for i := range count {
		in, err := b.image.with(filepath.Join(b.work, "tenant.tar"), "./var/www/uploads/own.bin", noise(uint64(1e6+i), own))
		if err != nil {
			return err
		}
		if all, err = b.write(in, bucket, cache, fmt.Sprintf("tenant%d", i)); err != nil {
			return err
		}
	}
	want := float64(one.Used + count*own)
	fmt.Printf("\none image takes %.1f MB; ten tenants of it with %d MB each of their own, and it: %.1f MB\n", mb(one.Used), own>>20, mb(all.Used))
	b.verdict(float64(all.Used) < mostTenants*want, "%.2f × one image and the changes, at most %.1f", float64(all.Used)/want, mostTenants)
	return nil
}

func mb(n int64) float64 { return float64(n) / (1 << 20) }

// empty gives a stream with nothing in it, for a repository to be made before it is measured.
func (image) empty(path string) (image, error) {
	const end = 1024
	return image{path, end}, os.WriteFile(path, make([]byte, end), 0o600)
}
