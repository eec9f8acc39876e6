import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";

/** The members. Their load changes without news, so they are asked again and again. */
export const membersQuery = queryOptions({
  queryKey: ["members"],
  queryFn: ({ signal }) => ask(api.GET("/v1/members", { signal })),
  refetchInterval: 10_000,
});
