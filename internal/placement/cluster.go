package placement

import (
	"slices"
	"strings"

	"github.com/lxdfleet/lxdfleet/internal/fleet"
)

// inCluster is the view with the members of one cluster only; empty: the home cluster. Nobody is
// placed in another cluster than is asked for, and no plan moves a tenant to another.
func (v View) inCluster(cluster string) View {
	if !slices.ContainsFunc(v.Members, func(m Member) bool { return fleet.ClusterOf(m.Name) != cluster }) {
		return v
	}
	all := v.Members
	v.Members = nil
	for _, m := range all {
		if fleet.ClusterOf(m.Name) == cluster {
			v.Members = append(v.Members, m)
		}
	}
	if cluster != "" { // what is kept free is meant for the home cluster, which may be larger
		v.Rules.SpareMembers = max(0, min(v.Rules.SpareMembers, len(v.Members)-1))
	}
	return v
}

// cluster is the one in which a member is looked for: that of the member that is asked for, else of the
// one that is left.
func (w Wish) cluster() string {
	if w.Member != "" {
		return fleet.ClusterOf(w.Member)
	}
	return fleet.ClusterOf(w.Leave)
}

// isAny reports whether the words for a member mean any of a cluster, such as "west:".
func isAny(member string) bool { return strings.HasSuffix(member, ":") }
