// Package pace stretches the limits that tests on real machines set, where the machine is known to
// be slow: an emulated processor takes ten times as long, and nothing else is wrong with it.
package pace

import (
	"os"
	"strconv"
	"time"
)

// Variable is the environment variable that says how many times slower than usual the machine is,
// a whole number.
const Variable = "LXDFLEET_SLOW"

// Of is the limit d on this machine: d itself where Variable is not set, or is no number above 1.
func Of(d time.Duration) time.Duration {
	factor, err := strconv.Atoi(os.Getenv(Variable))
	if err != nil || factor < 1 {
		return d
	}
	return d * time.Duration(factor)
}
