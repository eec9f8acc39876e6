import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { api, ask } from "../api/client";
import type { Traffic } from "../api/types";
import { bytes, count } from "../show/format";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { Plot } from "../show/plot";
import { Query } from "../show/query";
import { rates, type Rates } from "./rates";
import { useTenant } from "./tenant";

const every = 3000;
const most = 600; // half an hour

/** What the proxy answered for a tenant while one looks. */
export function TrafficTab() {
  const { name } = useTenant();
  const traffic = useQuery({
    queryKey: ["traffic", "all"],
    queryFn: ({ signal }) => ask(api.GET("/v1/traffic", { signal })),
    refetchInterval: every,
    staleTime: 0,
  });
  const seen = useRates(traffic.data, name);
  const at = seen.map((r) => r.at);
  return (
    <Query query={traffic}>
      {(data) => {
        const mine = data.items.find((item) => item.tenant === name);
        return (
          <>
            <div className="two">
              <Plot title="Requests and errors per second" at={at} lines={[{ name: "requests", values: seen.map((r) => r.requests), colour: "#0066cc" }, { name: "5xx", values: seen.map((r) => r.errors), colour: "#e0394b" }]} />
              <Plot title="Mean time to answer, ms" at={at} lines={[{ name: "ms", values: seen.map((r) => r.latency), colour: "#0e8420" }]} />
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
