import { useQueryClient } from "@tanstack/react-query";

import { useAct } from "../shell/act";

/** Changes something of the clusters: what they are, and whose members there are, is read anew then. */
export function useChange() {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const change = async (title: string, run: () => Promise<unknown>) => {
    const taken = await act(title, run);
    await Promise.all([queries.invalidateQueries({ queryKey: ["clusters"] }), queries.invalidateQueries({ queryKey: ["members"] })]);
    return taken;
  };
  return { busy, change };
}
