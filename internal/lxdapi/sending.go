package lxdapi

import (
	"strconv"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// sending adds up what LXD tells of a migration: for one volume after another, a snapshot's or
// the instance's own, a text such as "project_acme/s1: 704.25MB (234.73MB/s)".
type sending struct {
	done   int64 // of the volumes before
	volume string
	bytes  int64 // of this one
}

func (s *sending) add(text string) fleet.Progress {
	volume, amount, found := strings.Cut(text, ": ")
	if !found {
		return fleet.Progress{Message: text, Bytes: s.done + s.bytes}
	}
	if volume != s.volume {
		s.done, s.volume, s.bytes = s.done+s.bytes, volume, 0
	}
	size, _, _ := strings.Cut(amount, " ")
	s.bytes = max(s.bytes, bytesOf(size))
	return fleet.Progress{Message: "sent " + amount, Bytes: s.done + s.bytes}
}

// bytesOf reads a size as LXD prints it, such as 704.25MB; 0 where it is none.
func bytesOf(text string) int64 {
	number := strings.TrimRight(text, "kMGTPEB")
	factor, known := map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}[text[len(number):]]
	n, err := strconv.ParseFloat(number, 64)
	if !known || err != nil || n < 0 || n*factor > 1e18 {
		return 0
	}
	return int64(n * factor)
}
