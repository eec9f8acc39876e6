import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";

/** One job with what it did; news of it makes the answer stale. */
export function jobQuery(id: string) {
  return queryOptions({
    queryKey: ["job", id],
    queryFn: ({ signal }) => ask(api.GET("/v1/jobs/{id}", { params: { path: { id } }, signal })),
  });
}

export interface JobFilter {
  subject?: string;
  kind?: string;
  /** A job's id: those that it has begun for single tenants. */
  parent?: string;
  unfinished?: boolean;
  limit?: number;
}

/** Jobs, newest first. */
export function jobsQuery(filter: JobFilter) {
  return queryOptions({
    queryKey: ["jobs", filter],
    queryFn: ({ signal }) => ask(api.GET("/v1/jobs", { params: { query: { limit: 100, ...filter } }, signal })),
  });
}
