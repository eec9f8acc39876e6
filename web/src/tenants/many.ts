import type { TenantBulk } from "../api/types";
import { count } from "../show/format";

export type Verb = TenantBulk["action"];

/** What the dashboard offers to do to the chosen tenants. */
export const verbs: readonly Verb[] = ["start", "stop", "restart", "snapshot", "backup", "move", "resize", "delete"];

/** How it is done to them. */
export interface Manner {
  /** How many at a time; the daemon's own number where it is empty. */
  atOnce: string;
  /** Of move: the member; placement chooses where it is empty. */
  to: string;
  /** Of resize. */
  plan: string;
}

/** One request that does the same to all of them. */
export function bulkOf(verb: Verb, names: readonly string[], manner: Manner): TenantBulk {
  return {
    action: verb,
    tenants: [...names],
    ...(manner.atOnce === "" ? {} : { at_once: Number(manner.atOnce) }),
    ...(verb !== "move" || manner.to === "" ? {} : { to: manner.to }),
    ...(verb !== "resize" ? {} : { plan: manner.plan }),
  };
}

/** Names for people, the first dozen of them. */
export function spelled(names: readonly string[], most = 12): string {
  if (names.length <= most) return `${names.join(", ")}.`;
  return `${names.slice(0, most).join(", ")} and ${names.length - most} more.`;
}

/** What is typed before tenants are deleted; undefined: nothing is. */
export function typed(verb: Verb, names: readonly string[]): string | undefined {
  if (verb !== "delete") return undefined;
  return names.length === 1 ? names[0] : `delete ${names.length}`;
}

export function titleOf(verb: Verb, names: readonly string[]): string {
  return `${verb} ${count(names.length, "tenant")}`;
}

/** What does the same with lxc, and what of it is different; undefined where lxc takes one at a time. */
export function lxcOf(verb: Verb, names: readonly string[]): readonly [command: string, note?: string] | undefined {
  const all = names.join(" ");
  switch (verb) {
    case "start":
      return [`start ${all}`];
    case "stop":
      return [`stop ${all} --timeout 60`];
    case "restart":
      return [`restart ${all}`, "Requests that come meanwhile wait there too."];
    case "delete":
      return [`delete ${all} --force`, "That deletes them at once: they do not go into the trash."];
    default:
      return undefined;
  }
}
