import { useQuery } from "@tanstack/react-query";

import { api, ask } from "../api/client";
import { bytes } from "../show/format";
import { Plot } from "../show/plot";
import { Query } from "../show/query";

/** How full a member was lately. */
export function MemberPlots({ name }: { name: string }) {
  const metrics = useQuery({
    queryKey: ["metrics", "member", name],
    queryFn: ({ signal }) => ask(api.GET("/v1/members/{name}/metrics", { params: { path: { name } }, signal })),
    refetchInterval: 30_000,
    staleTime: 0,
  });
  return (
    <Query query={metrics}>
      {({ items }) => {
        const at = items.map((item) => Date.parse(item.at) / 1000);
        const last = items.at(-1);
        return (
          <div className="two">
            <Plot
              title="CPU: processors its tenants use, and load"
              at={at}
              least={last?.cpus ?? 1}
              text={(n) => n.toFixed(1)}
              lines={[
                { name: "tenants", values: items.map((item) => item.tenants_cpu), colour: "#0066cc" },
                ...(last?.load === undefined ? [] : [{ name: "load", values: items.map((item) => item.load ?? null), colour: "#e95420" }]),
              ]}
            />
            <Plot
              title="Memory"
              at={at}
              least={last?.memory_total ?? 1}
              text={bytes}
              lines={[
                { name: "machine", values: items.map((item) => item.memory_used), colour: "#77216f" },
                { name: "tenants", values: items.map((item) => item.tenants_memory), colour: "#0e8420" },
              ]}
            />
            <Plot title="Pool" at={at} least={last?.pool_total ?? 1} text={bytes} lines={[{ name: "used", values: items.map((item) => item.pool_used), colour: "#e95420" }]} />
            <Plot title="Tenants" at={at} least={5} text={(n) => n.toFixed(0)} lines={[{ name: "tenants", values: items.map((item) => item.tenants), colour: "#0066cc" }]} />
          </div>
        );
      }}
    </Query>
  );
}
