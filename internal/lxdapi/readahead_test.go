package lxdapi

import (
	"slices"
	"testing"
)

func TestAheadOf(t *testing.T) {
	pages := func(list ...int64) []int64 {
		for i := range list {
			list[i] *= pageSize
		}
		return list
	}
	for _, tt := range []struct {
		name string
		size int64
		want []int64
	}{
		{"nothing", 0, nil},
		{"a byte", 1, pages(0)},
		{"two pages", 2 * pageSize, pages(0, 1)},
		{"the first window", 4 * pageSize, pages(0, 1)},
		{"one page more", 4*pageSize + 1, pages(0, 1, 4)},
		{"9 MB", 9 << 20, pages(0, 1, 4, 20, 84, 212, 468, 980, 2004)},
		{"32 MiB", mostOfFile, pages(0, 1, 4, 20, 84, 212, 468, 980, 2004, 3028, 4052, 5076, 6100, 7124, 8148)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := aheadOf(tt.size); !slices.Equal(got, tt.want) {
				t.Errorf("offsets %v, want %v", got, tt.want)
			}
		})
	}
}
