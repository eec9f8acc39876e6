import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { Failure, Loading } from "./nothing";

interface Props<T> {
  query: UseQueryResult<T>;
  children: (data: T) => ReactNode;
}

/** Shows what a query answered, or that it loads, or why it failed. Old data stays in sight. */
export function Query<T>({ query, children }: Props<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <Failure error={query.error} again={query.refetch} />;
  return <Loading />;
}
