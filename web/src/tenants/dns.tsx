import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { api, ask } from "../api/client";
import { Records } from "../show/records";
import { State } from "../show/state";

/** What DNS says of domains that nobody has yet, and what to set so that they lead here. */
export function Dns({ domains }: { domains: readonly string[] }) {
  const asked = useSettled(domains.join(" "));
  if (asked === "") return null;
  return (
    <ul className="line" aria-label="What DNS says">
      {asked.split(" ").slice(0, most).map((domain) => (
        <One key={domain} domain={domain} />
      ))}
    </ul>
  );
}

const most = 10;

// While somebody types, DNS is left alone.
function useSettled(text: string): string {
  const [settled, setSettled] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 600);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function One({ domain }: { domain: string }) {
  const { data, error } = useQuery({
    queryKey: ["dns", domain],
    queryFn: ({ signal }) => ask(api.GET("/v1/domains/{domain}/dns", { params: { path: { domain } }, signal })),
    retry: false,
    staleTime: 10_000,
  });
  const found = data === undefined ? "" : [data.dns.cname, ...data.dns.addresses].filter((v) => v !== undefined && v !== "").join(", ");
  const missing = (data?.to_set.length ?? 0) > 0;
  return (
    <li>
      <State tone={error !== null || missing ? "warn" : data === undefined ? "busy" : data.dns.error === undefined ? "good" : "idle"}>{""}</State>
      <div>
        <strong>{data?.unicode ?? domain}</strong> {error !== null ? error.message : data === undefined ? "asking DNS…" : (data.dns.error ?? found)}
        {data !== undefined && missing && (
          <>
            <p>It does not lead here yet. To set in DNS, now or later:</p>
            <Records records={data.to_set} />
          </>
        )}
      </div>
    </li>
  );
}
