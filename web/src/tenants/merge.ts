import type { Tenant } from "../api/types";

/** Gives rows with the fresh ones in their places; undefined takes a row away. */
export function withRows(rows: readonly Tenant[], fresh: ReadonlyMap<string, Tenant | undefined>): Tenant[] {
  const kept = rows.filter((row) => !fresh.has(row.name));
  for (const row of fresh.values()) if (row !== undefined) kept.push(row);
  return kept.sort((a, b) => (a.name < b.name ? -1 : 1));
}
