import { clusterOf } from "../members/places";

/** What moves an instance to a member with lxc; west:n1 is n1 of the remote west. */
export function lxcMove(name: string, to: string): string {
  const cluster = clusterOf(to);
  if (cluster === "") return `move ${name} --target ${to}`;
  const member = to.slice(cluster.length + 1);
  // A stand-alone server calls its only place none.
  return `move ${name} ${cluster}:${name}${member === "none" ? "" : ` --target ${member}`}`;
}
