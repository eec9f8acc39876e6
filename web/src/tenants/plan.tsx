import { useQuery } from "@tanstack/react-query";

import { api, ask } from "../api/client";

/** The plans there are, as options of a select. */
export function PlanOptions() {
  const plans = useQuery({ queryKey: ["plans"], queryFn: () => ask(api.GET("/v1/plans")) });
  return plans.data?.items.map((item) => (
    <option key={item.name} value={item.name}>
      {item.name}: {item.cpu} CPU, {item.memory}, {item.disk}
    </option>
  ));
}
