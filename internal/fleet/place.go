package fleet

import "strings"

// SplitMember tells the cluster of a member and its name there: "west" and "n1" of west:n1, "" and "n1"
// of n1, which is in the home cluster. "west:" is any member of that cluster.
func SplitMember(member string) (cluster, name string) {
	if cluster, name, elsewhere := strings.Cut(member, ":"); elsewhere {
		return cluster, name
	}
	return "", member
}

// ClusterOf is the cluster of a member; empty: the home cluster.
func ClusterOf(member string) string {
	cluster, _ := SplitMember(member)
	return cluster
}
