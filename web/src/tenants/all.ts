import { useQuery, type QueryClient } from "@tanstack/react-query";

import { api, ask } from "../api/client";
import { Problem } from "../api/problem";
import type { Tenant } from "../api/types";
import { withRows } from "./merge";

const key = ["tenants"];

/** From this many changed rows on it is quicker to read the list again. */
const many = 20;

async function readAll(signal: AbortSignal): Promise<Tenant[]> {
  const all: Tenant[] = [];
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? { limit: 1000 } : { limit: 1000, cursor };
    const page = await ask(api.GET("/v1/tenants", { params: { query }, signal }));
    all.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  return all;
}

/** All tenants by name, kept up to date row by row. */
export function useTenants() {
  return useQuery({ queryKey: key, queryFn: ({ signal }) => readAll(signal) });
}

/** Reads the rows of these tenants anew, where the list has been read. */
export async function refreshRows(queries: QueryClient, names: ReadonlySet<string>): Promise<void> {
  if (names.size === 0 || queries.getQueryData(key) === undefined) return;
  if (names.size > many) {
    await queries.invalidateQueries({ queryKey: key });
    return;
  }
  const fresh = await Promise.all([...names].map(async (name) => [name, await readRow(name)] as const));
  queries.setQueryData<Tenant[]>(key, (rows) => (rows === undefined ? rows : withRows(rows, new Map(fresh))));
}

async function readRow(name: string): Promise<Tenant | undefined> {
  try {
    return await ask(api.GET("/v1/tenants/{name}", { params: { path: { name } } }));
  } catch (thrown) {
    // News is also of instances that are no tenants: of those there is no row, or the name cannot be one.
    if (thrown instanceof Problem && (thrown.status === 404 || thrown.code === "invalid")) return undefined;
    throw thrown;
  }
}
