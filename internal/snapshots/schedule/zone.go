package schedule

import (
	"time"
	_ "time/tzdata" // a host may have no time zones of its own

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// Zone reads an IANA name such as Europe/Berlin; empty is the host's own zone. fleet.Invalid
// with field "time_zone".
func Zone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fleet.Errorf(fleet.Invalid, "%q is not a time zone", name).WithField("time_zone").
			WithHint("use a name of the IANA database, such as Europe/Berlin or UTC")
	}
	return zone, nil
}
