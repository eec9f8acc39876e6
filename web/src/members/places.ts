/** A cluster and its members, as tenants can be told to go there. */
export interface Places {
  /** Empty: the one that lxdfleet runs on. */
  cluster: string;
  members: string[];
}

/** The cluster of a member that is called as west:n1; empty of one at home. */
export function clusterOf(member: string): string {
  const end = member.indexOf(":");
  return end < 0 ? "" : member.slice(0, end);
}

/** The members by their clusters: those at home first, then others by name. */
export function places(members: readonly string[]): Places[] {
  const found = new Map<string, string[]>([["", []]]);
  for (const member of members) {
    const cluster = clusterOf(member);
    found.set(cluster, [...(found.get(cluster) ?? []), member]);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([cluster, list]) => ({ cluster, members: list }));
}
