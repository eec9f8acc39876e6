import { useQueryClient } from "@tanstack/react-query";

import { useAct } from "../shell/act";
import { webhooksQuery } from "./query";

/** useAct for changes of webhooks: their lists are read anew afterwards. */
export function useChange() {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const change = async (title: string, run: () => Promise<unknown>) => {
    const taken = await act(title, run);
    await queries.invalidateQueries({ queryKey: webhooksQuery.queryKey });
    return taken;
  };
  return { busy, change };
}
