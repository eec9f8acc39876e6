package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// image is a tenant's files as a tar stream.
type image struct {
	path string
	size int64
}

var madeAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// makeImage has a child write a stream: a child's memory is never told to be less than what its
// parent had when it was started.
func (b *bench) makeImage(path, from string, mib int) (image, error) {
	program, err := os.Executable()
	if err != nil {
		return image{}, err
	}
	if _, err := process(b.ctx, nil, nil, program, "image", path, from, strconv.Itoa(mib)); err != nil {
		return image{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return image{}, err
	}
	return image{path, info.Size()}, nil
}

// imageChild is the child.
func imageChild(args []string) error {
	if len(args) != 3 {
		return errors.New("image: path, folder and size in MiB are wanted")
	}
	mib, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	return writeImage(args[0], args[1], int64(mib)<<20)
}

// writeImage writes a stream: one half the files of a folder of this machine, a quarter photographs
// (which cannot be compressed), a quarter a database (which can).
func writeImage(path, from string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buffered := bufio.NewWriterSize(f, 1<<20)
	w := tar.NewWriter(buffered)
	if err := copyFiles(w, from, size/2); err != nil {
		return err
	}
	for i := range int(size / 4 / (200 << 10)) {
		if err := add(w, fmt.Sprintf("./var/www/uploads/%04d/%d.jpg", i/50, i), noise(uint64(i), 200<<10)); err != nil {
			return err
		}
	}
	if err := add(w, "./var/lib/mysql/ibdata1", rows(size/4)); err != nil {
		return err
	}
	return errors.Join(w.Close(), buffered.Flush())
}

func add(w *tar.Writer, name string, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644, ModTime: madeAt}); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// noise gives bytes that cannot be compressed.
func noise(seed uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)}).Read(b)
	return b
}

// rows gives bytes as a database has them: words, numbers, and pages that are half empty.
func rows(size int64) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"invoice", "customer", "street", "paid", "shipped", "pending", "mail", "order", "wp_option", "draft"}
	for page := 0; int64(b.Len()) < size; page++ {
		start := b.Len()
		for b.Len()-start < 10<<10 {
			fmt.Fprintf(&b, "%d|%s|%s|%d|%x\n", page, words[r.IntN(len(words))], words[r.IntN(len(words))], r.IntN(1_000_000), r.Uint32())
		}
		b.Write(make([]byte, 16<<10-(b.Len()-start)))
	}
	return b.Bytes()[:size]
}

// copyFiles adds the files of a folder, until they are so many bytes.
func copyFiles(w *tar.Writer, from string, size int64) error {
	done := errors.New("enough")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if size <= 0 {
			return done
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := ""
		if info.Mode()&fs.ModeSymlink != 0 {
			if target, err = os.Readlink(path); err != nil {
				return err
			}
		}
		h, err := tar.FileInfoHeader(info, target)
		if err != nil {
			return err
		}
		h.Name = "." + path
		if d.IsDir() {
			h.Name += "/"
		}
		size -= info.Size() + 512
		if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// with gives the stream with one more file at its end.
func (i image) with(path, name string, content []byte) (image, error) {
	in, err := os.Open(i.path)
	if err != nil {
		return image{}, err
	}
	defer in.Close()
	out, err := os.Create(path)
	if err != nil {
		return image{}, err
	}
	defer out.Close()
	const end = 1024 // of the archive
	if _, err := io.CopyN(out, in, i.size-end); err != nil {
		return image{}, err
	}
	w := tar.NewWriter(out)
	if err := add(w, name, content); err != nil {
		return image{}, err
	}
	if err := w.Close(); err != nil {
		return image{}, err
	}
	info, err := out.Stat()
	return image{path, info.Size()}, err
}
