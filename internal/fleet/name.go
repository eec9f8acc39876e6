package fleet

import "regexp"

// Name is a tenant's name and its instance's name in LXD: a DNS label (RFC 1123) of 1 to 63
// lower-case letters, digits and hyphens that starts with a letter and does not end with a
// hyphen. LXD has the same rule for instance names.
type Name string

var nameRule = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ReservedPrefix starts the names of instances lxdfleet makes for itself (builders, checks).
// No tenant may have such a name.
const ReservedPrefix = "lxdfleet-"

// MoveSnapshotPrefix starts the names of the snapshots that a move takes to send differences.
const MoveSnapshotPrefix = ReservedPrefix + "pass-"

// ParseName checks s. The error is of code Invalid and field "name".
func ParseName(s string) (Name, error) {
	if !nameRule.MatchString(s) {
		return "", Errorf(Invalid, "%q is not a tenant name", s).WithField("name").
			WithHint("use 1 to 63 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen")
	}
	if len(s) >= len(ReservedPrefix) && s[:len(ReservedPrefix)] == ReservedPrefix {
		return "", Errorf(Invalid, "names starting with %q are kept for lxdfleet's own instances", ReservedPrefix).
			WithField("name").WithHint("choose another name")
	}
	return Name(s), nil
}

func (n Name) String() string { return string(n) }
