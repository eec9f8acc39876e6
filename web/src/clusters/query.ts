import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";

/** The other clusters. Each is asked how it is, so not often. */
export const clustersQuery = queryOptions({
  queryKey: ["clusters"],
  queryFn: ({ signal }) => ask(api.GET("/v1/clusters", { signal })),
  refetchInterval: 30_000,
});
