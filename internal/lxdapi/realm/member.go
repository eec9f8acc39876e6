package realm

import (
	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// within is how a member is called by its own cluster, and abroad how it is called by all.
func within(member string) string {
	_, own := fleet.SplitMember(member)
	return own
}

func abroad(cluster, member string) string {
	if cluster == "" || member == "" {
		return member
	}
	return cluster + ":" + member
}

// seen is an instance of a cluster as a Realm tells of it.
func seen(cluster string, inst fleet.Instance) fleet.Instance {
	inst.Location = abroad(cluster, inst.Location)
	return inst
}
