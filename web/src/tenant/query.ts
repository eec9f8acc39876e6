import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";
import { mark, type Point } from "./line";

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

/** Which files have changed since one point, up to another or up to now. It is asked anew each time. */
export function diffQuery(name: string, from: Point, to: Point | undefined) {
  return queryOptions({
    queryKey: ["diff", name, mark(from), to === undefined ? "" : mark(to)],
    staleTime: 0,
    queryFn: ({ signal }) => {
      if (from.kind === "snapshot") {
        const query = to?.kind === "snapshot" ? { to: to.snapshot.name } : {};
        return ask(api.GET("/v1/tenants/{name}/snapshots/{snapshot}/diff", { params: { path: { name, snapshot: from.snapshot.name }, query }, signal }));
      }
      const query = to === undefined ? {} : to.kind === "snapshot" ? { snapshot: to.snapshot.name } : { to: to.backup.id };
      return ask(api.GET("/v1/backups/{id}/diff", { params: { path: { id: from.backup.id }, query }, signal }));
    },
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
