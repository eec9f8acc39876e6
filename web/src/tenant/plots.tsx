import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { api, ask } from "../api/client";
import type { TenantMetrics, Traffic } from "../api/types";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { bytes, count } from "../show/format";
import { Plot } from "../show/plot";
import { Query } from "../show/query";
import { rates, type Rates } from "./rates";
import { useTenant } from "./tenant";
import { diskOf, endOf, joined, ratesOf } from "./usage";

const every = 3000;
const most = 600; // half an hour of what is seen while one looks

/** What a tenant used lately, and what the proxy answered for it. */
export function Usage() {
  const { name } = useTenant();
  const metrics = useMetrics(name);
  return (
    <>
      <Query query={metrics}>{(data) => <Used metrics={data} />}</Query>
      <Answered name={name} history={metrics.data} />
    </>
  );
}

// Asks for what is new alone, and joins it to what is known.
function useMetrics(name: string) {
  const queries = useQueryClient();
  const queryKey = ["metrics", name];
  return useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      const known = queries.getQueryData<TenantMetrics>(queryKey);
      const after = endOf(known);
      const query = after === undefined ? {} : { after };
      return joined(after === undefined ? undefined : known, await ask(api.GET("/v1/tenants/{name}/metrics", { params: { path: { name }, query }, signal })));
    },
    refetchInterval: 5000,
    staleTime: 0,
  });
}

function Used({ metrics }: { metrics: TenantMetrics }) {
  const at = metrics.items.map((item) => Date.parse(item.at) / 1000);
  const disk = diskOf(metrics);
  const shared = disk.shared;
  const last = metrics.items.at(-1);
  return (
    <div className="two">
      <Plot title="CPU: processors in use" at={at} least={0.1} text={(n) => n.toFixed(2)} lines={[{ name: "CPUs", values: metrics.items.map((item) => item.cpu ?? null), colour: "#0066cc" }]} />
      <Plot title="Memory" at={at} least={64 << 20} text={bytes} lines={[{ name: "memory", values: metrics.items.map((item) => item.memory), colour: "#0e8420" }]} />
      <Plot
        title="Disk: its own, and shared with the golden image"
        at={at}
        least={64 << 20}
        text={bytes}
        lines={[
          { name: "own", values: disk.own, colour: "#e95420" },
          ...(shared === null ? [] : [{ name: "shared", values: metrics.items.map(() => shared), colour: "#77216f" }]),
        ]}
      />
      <Box title="Now">
        <Facts
          facts={[
            ["Processors", last?.cpu?.toFixed(2)],
            ["Memory", last !== undefined && bytes(last.memory)],
            ["Processes", last?.processes],
            ["Its own on disk", own(disk.own.at(-1))],
            ["Shared", shared !== null && `${bytes(shared)}, the golden image’s size`],
          ]}
        />
        {disk.own.every((n) => n === null) && <p className="u-text--muted">LXD does not tell what it takes on this pool.</p>}
      </Box>
    </div>
  );
}

function own(n: number | null | undefined): string | undefined {
  return n === null || n === undefined ? undefined : bytes(n);
}

function Answered({ name, history }: { name: string; history: TenantMetrics | undefined }) {
  const traffic = useQuery({
    queryKey: ["traffic", "all"],
    queryFn: ({ signal }) => ask(api.GET("/v1/traffic", { signal })),
    refetchInterval: every,
    staleTime: 0,
  });
  const live = useRates(traffic.data, name);
  // What was counted before one looked, and from then on in finer steps.
  const begun = live[0]?.at ?? Infinity;
  const seen = [...(history === undefined ? [] : ratesOf(history).filter((span) => span.at < begun)), ...live];
  const at = seen.map((r) => r.at);
  return (
    <Query query={traffic}>
      {(data) => {
        const mine = data.items.find((item) => item.tenant === name);
        return (
          <>
            <div className="two">
              <Plot
                title="Requests and errors per second"
                at={at}
                lines={[
                  { name: "requests", values: seen.map((r) => r.requests), colour: "#0066cc" },
                  { name: "5xx", values: seen.map((r) => r.errors), colour: "#e0394b" },
                ]}
              />
              <Plot
                title="Time to answer"
                at={at}
                text={(ms) => `${ms >= 10 ? ms.toFixed(0) : ms.toFixed(1)} ms`}
                lines={[
                  { name: "mean", values: seen.map((r) => r.latency), colour: "#0e8420" },
                  { name: "95 of 100", values: seen.map((r) => r.slow), colour: "#e95420" },
                ]}
              />
            </div>
            <Box title={`Since ${new Date(data.since).toLocaleString()}`}>
              {mine === undefined ? (
                <p>No request has come.</p>
              ) : (
                <Facts
                  facts={[
                    ["Requests", mine.requests.toLocaleString("en")],
                    ["By status", mine.codes.map((code) => `${code.code}: ${code.requests}`).join(", ")],
                    ["Received", bytes(mine.bytes_in)],
                    ["Sent", bytes(mine.bytes_out)],
                    ["Had to wait", `${count(mine.held_total, "request")}, ${mine.held_seconds.toFixed(1)} s in all`],
                    ["Now", `${mine.in_flight} at the tenant, ${mine.held} waiting`],
                  ]}
                />
              )}
            </Box>
          </>
        );
      }}
    </Query>
  );
}

// Counters become rates by the difference of two answers, kept for as long as one looks.
function useRates(traffic: Traffic | undefined, name: string): readonly Rates[] {
  const last = useRef<Traffic>(undefined);
  const [seen, setSeen] = useState<readonly Rates[]>([]);
  useEffect(() => {
    if (traffic === undefined) return;
    const before = last.current;
    last.current = traffic;
    if (before === undefined) return;
    const next = rates(before, traffic, name);
    if (next !== undefined) setSeen((old) => [...old, next].slice(-most));
  }, [traffic, name]);
  return seen;
}
