import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { RouterProvider } from "react-router";

import { Credentials } from "./access/credentials";
import { Login } from "./access/login";
import { Welcome } from "./access/welcome";
import { onEnded } from "./api/login";
import { Problem } from "./api/problem";
import { router } from "./routes";
import { session } from "./shell/session";
import { Failure, Loading } from "./show/nothing";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // News says when something is out of date.
      staleTime: 30_000,
      gcTime: 5 * 60_000,
      retry: (failures, error) => !(error instanceof Problem && error.status < 500) && failures < 2,
    },
  },
});

/** The dashboard, for whoever has a session. */
export function App() {
  useEffect(() => onEnded(() => queries.setQueryData(session.queryKey, null)), []);
  return (
    <QueryClientProvider client={queries}>
      <Door />
    </QueryClientProvider>
  );
}

function Door() {
  const who = useQuery(session);
  if (location.pathname === "/ui/welcome") return <Welcome />;
  if (location.pathname === "/ui/credentials") return <Credentials />;
  if (who.data === null) return <Login />;
  if (who.data !== undefined) return <RouterProvider router={router} />;
  return <div className="gate">{who.isError ? <Failure error={who.error} again={who.refetch} /> : <Loading />}</div>;
}
