package lxdapi

import (
	"context"
	"path"
	"sync"
	"sync/atomic"

	"github.com/pkg/sftp"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

const (
	readers    = 8        // files read ahead at once
	mostOfFile = 32 << 20 // bytes of each
	pageSize   = 4 << 10
)

// ReadAhead has the member of an instance, running or not, read files into its memory, at most 32 MiB
// of each, in the order they are given. Hardly anything of them is sent here. It gives how many
// there were: what is missing or no regular file is left out. Where ctx ends, so does the reading.
func (c *Client) ReadAhead(ctx context.Context, name string, files []string) (int, error) {
	for _, file := range files {
		if !path.IsAbs(file) {
			return 0, within(fleet.Errorf(fleet.Invalid, "the path %q is not absolute", file).WithField("path"), "read ahead")
		}
	}
	var read atomic.Int64
	err := c.overFiles(ctx, name, func(client *sftp.Client) error {
		var next atomic.Int64
		var all sync.WaitGroup
		for range min(readers, len(files)) {
			all.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(files)) && ctx.Err() == nil; i = next.Add(1) - 1 {
					if readAhead(client, files[i]) {
						read.Add(1)
					}
				}
			})
		}
		all.Wait()
		return ctx.Err()
	})
	return int(read.Load()), within(err, "read files of %s ahead", name)
}

// readAhead looks at the file first: to open a pipe would wait for somebody to write into it.
func readAhead(client *sftp.Client, file string) bool {
	info, err := client.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := client.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	one := make([]byte, 1)
	for _, at := range aheadOf(min(info.Size(), mostOfFile)) {
		if _, err := f.ReadAt(one, at); err != nil {
			return false
		}
	}
	return true
}

// aheadOf gives the offsets of bytes that have Linux read all of a file of that size ahead when they
// are read one after the other: the first has it read four pages of which it marks the second, and
// whoever reads a marked page begins the next window, four times as large, then twice, up to the 4 MiB
// of btrfs, of which the first page is marked (mm/readahead.c: get_init_ra_size, get_next_ra_size).
// A kernel that does otherwise reads less ahead, which harms nobody.
func aheadOf(size int64) []int64 {
	const most = 4 << 20 / pageSize
	var at []int64
	for _, page := range []int64{0, 1} {
		at = append(at, page*pageSize)
	}
	for start, window := int64(4), int64(16); ; {
		if start*pageSize >= size {
			break
		}
		at = append(at, start*pageSize)
		start += window
		switch {
		case window < most/16:
			window *= 4
		case window < most:
			window *= 2
		}
	}
	for len(at) > 0 && at[len(at)-1] >= size {
		at = at[:len(at)-1]
	}
	return at
}
