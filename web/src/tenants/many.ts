import type { TenantBulk } from "../api/types";
import { count } from "../show/format";

export type Verb = TenantBulk["action"];

/** What the dashboard offers to do to the chosen tenants; they are moved from their own pages. */
export const verbs: readonly Verb[] = ["start", "stop", "restart", "snapshot", "backup", "delete"];

/** One request that does the same to all of them. */
export function bulkOf(verb: Verb, names: readonly string[]): TenantBulk {
  return { action: verb, tenants: [...names] };
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
