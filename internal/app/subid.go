package app

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// subordinateIDs adds up the ids that root may hand out, by a file in the form of subuid(5):
// NAME:FIRST:COUNT a line.
func subordinateIDs(file string) (int64, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for line := range strings.Lines(string(raw)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) != 3 || fields[0] != "root" && fields[0] != "0" {
			continue
		}
		count, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		total += count
	}
	if total == 0 {
		return 0, fmt.Errorf("%s names no range for root", file)
	}
	return total, nil
}
