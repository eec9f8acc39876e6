import type { Tenant } from "../api/types";

/** Which tenants are shown. It is kept in the page's address, so that it can be sent to others. */
export interface Filter {
  search: string;
  status: string;
  plan: string;
  image: string;
  member: string;
}

const keys = ["search", "status", "plan", "image", "member"] as const;

/** Reads the filter out of an address's query. */
export function filterOf(query: URLSearchParams): Filter {
  const filter: Filter = { search: "", status: "", plan: "", image: "", member: "" };
  for (const key of keys) filter[key] = query.get(key) ?? "";
  return filter;
}

/** Writes the filter into an address's query, without what is empty. */
export function queryOf(filter: Filter): URLSearchParams {
  return new URLSearchParams(keys.filter((key) => filter[key] !== "").map((key) => [key, filter[key]]));
}

// What is searched in a tenant, put together once: the list is searched at each key press.
const texts = new WeakMap<Tenant, string>();

function textOf(tenant: Tenant): string {
  let text = texts.get(tenant);
  if (text === undefined) {
    const labels = Object.entries(tenant.labels).map(([key, value]) => `${key}=${value}`);
    text = [tenant.name, tenant.display_name, tenant.contact, tenant.address, ...tenant.domains, ...labels].join("\n").toLowerCase();
    texts.set(tenant, text);
  }
  return text;
}

/** Gives the tenants that match; every word of the search must be found. */
export function filtered(tenants: readonly Tenant[], filter: Filter): readonly Tenant[] {
  const words = filter.search.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return tenants.filter(
    (tenant) =>
      (filter.status === "" || tenant.status === filter.status) &&
      (filter.plan === "" || tenant.plan === filter.plan) &&
      (filter.image === "" || tenant.image === filter.image) &&
      (filter.member === "" || tenant.location === filter.member) &&
      words.every((word) => textOf(tenant).includes(word)),
  );
}

/** The different values of a field, for a menu. */
export function valuesOf(tenants: readonly Tenant[], value: (tenant: Tenant) => string | undefined): string[] {
  const seen = new Set<string>();
  for (const tenant of tenants) {
    const v = value(tenant);
    if (v !== undefined && v !== "") seen.add(v);
  }
  return [...seen].sort();
}
