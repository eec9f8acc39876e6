import { queryOptions, useQuery } from "@tanstack/react-query";

import { setCsrf } from "../api/login";
import { Problem, Unreachable } from "../api/problem";
import type { ProblemDocument, Role, Session } from "../api/types";

/** The session there is; null where one has to log in. */
export const session = queryOptions({
  queryKey: ["session"],
  queryFn: async (): Promise<Session | null> => {
    let response: Response;
    try {
      response = await fetch("/v1/session", { headers: { Accept: "application/json" } });
    } catch {
      throw new Unreachable();
    }
    if (response.status === 401) return null;
    if (!response.ok) throw new Problem((await response.json()) as ProblemDocument, response.status);
    const who = (await response.json()) as Session;
    setCsrf(who.csrf);
    return who;
  },
  staleTime: Infinity,
  retry: false,
});

const ranks: Record<Role, number> = { client: 0, viewer: 1, operator: 2, admin: 3 };

/** Whether the viewer's role may do what the given role may. */
export function useMay(role: Role): boolean {
  const { data } = useQuery(session);
  return data !== undefined && data !== null && ranks[data.role] >= ranks[role];
}
