import { queryOptions } from "@tanstack/react-query";

import { api, ask } from "../api/client";

/** Golden images by name, newest version first. */
export const imagesQuery = queryOptions({
  queryKey: ["images"],
  queryFn: ({ signal }) => ask(api.GET("/v1/images", { signal })),
});
