package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// wire counts what members send. Each is joined to the machine by one network device, at the
// machine's end of which that is received.
type wire struct{ prefix string }

// sent is how many bytes the member has sent since its device is there; 0 where no device is named.
func (w wire) sent(member string) (int64, error) {
	if w.prefix == "" {
		return 0, nil
	}
	text, err := os.ReadFile("/sys/class/net/" + w.prefix + member + "/statistics/rx_bytes")
	if err != nil {
		return 0, fmt.Errorf("what %s has sent: %w", member, err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}
