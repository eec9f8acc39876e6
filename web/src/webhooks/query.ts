import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";
import type { Delivery } from "../api/types";

export const webhooksQuery = queryOptions({
  queryKey: ["webhooks"],
  queryFn: ({ signal }) => ask(api.GET("/v1/webhooks", { signal })),
});

/** What was sent to a webhook, or is to be; state is empty for all. */
export function deliveriesQuery(id: string, state: Delivery["state"] | "") {
  return queryOptions({
    queryKey: ["webhooks", id, "deliveries", state],
    queryFn: ({ signal }) => ask(api.GET("/v1/webhooks/{id}/deliveries", { params: { path: { id }, query: { limit: 200, ...(state === "" ? {} : { state }) } }, signal })),
    refetchInterval: 5000,
  });
}
