import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";

// All of a tenant's queries begin with ["tenant", NAME]: its news makes them stale together.

export function tenantQuery(name: string) {
  return queryOptions({
    queryKey: ["tenant", name, "itself"],
    queryFn: ({ signal }) => ask(api.GET("/v1/tenants/{name}", { params: { path: { name } }, signal })),
  });
}

export function snapshotsQuery(name: string) {
  return queryOptions({
    queryKey: ["tenant", name, "snapshots"],
    queryFn: ({ signal }) => ask(api.GET("/v1/tenants/{name}/snapshots", { params: { path: { name } }, signal })),
  });
}

export function backupsQuery(name: string) {
  return queryOptions({
    queryKey: ["tenant", name, "backups"],
    queryFn: ({ signal }) => ask(api.GET("/v1/backups", { params: { query: { tenant: name, limit: 500 } }, signal })),
  });
}

export function scheduleQuery(name: string) {
  return queryOptions({
    queryKey: ["tenant", name, "schedule"],
    queryFn: ({ signal }) => ask(api.GET("/v1/tenants/{name}/schedule", { params: { path: { name } }, signal })),
  });
}

export function domainsQuery(name: string) {
  return queryOptions({
    queryKey: ["tenant", name, "domains"],
    queryFn: ({ signal }) => ask(api.GET("/v1/tenants/{name}/domains", { params: { path: { name } }, signal })),
  });
}
