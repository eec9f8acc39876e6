import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";

/** The daemon and the LXD it drives. */
export const serverQuery = queryOptions({
  queryKey: ["server"],
  queryFn: ({ signal }) => ask(api.GET("/v1/server", { signal })),
});

/** What the doctor finds; it looks at much, so not often. */
export const doctorQuery = queryOptions({
  queryKey: ["doctor"],
  queryFn: ({ signal }) => ask(api.GET("/v1/doctor", { signal })),
  refetchInterval: 60_000,
});
