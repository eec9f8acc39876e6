import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { AuditEntry } from "../api/types";
import { Subject } from "../jobs/subject";
import { Page } from "../shell/page";
import { Box } from "../show/box";
import { count } from "../show/format";
import { Failure, Loading, Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State } from "../show/state";
import { Moment } from "../show/time";

/** Who changed what. */
export function Audit() {
  const [user, setUser] = useState("");
  const [subject, setSubject] = useState("");
  const [entry, setEntry] = useState<AuditEntry>();
  const [checking, setChecking] = useState(false);
  const filter = { ...(user === "" ? {} : { user }), ...(subject === "" ? {} : { subject }) };
  const log = useInfiniteQuery({
    queryKey: ["audit", filter],
    initialPageParam: "",
    staleTime: 0,
    refetchInterval: 15_000,
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: 200, ...filter, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      return ask(api.GET("/v1/audit", { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
  });
  const entries = log.data?.pages.flatMap((page) => page.items);
  const columns: readonly Column<AuditEntry>[] = [
    { key: "at", title: "When", width: "17rem", narrow: "38%", show: (e) => <Moment at={e.at} /> },
    { key: "actor", title: "Who", width: "10rem", show: (e) => e.actor },
    { key: "operation", title: "What", show: (e) => <button className="p-button--link" onClick={() => setEntry(e)}>{e.operation}</button> },
    { key: "subject", title: "On", minor: true, show: (e) => <Subject subject={e.subject} /> },
    { key: "status", title: "Answer", width: "7rem", minor: true, show: (e) => <State tone={e.status < 400 ? "good" : "warn"}>{String(e.status)}</State> },
    { key: "address", title: "From", width: "11rem", minor: true, show: (e) => <span className="mono">{e.address ?? "unix socket"}</span> },
  ];
  return (
    <Page
      title="Audit log"
      actions={
        <>
          <button onClick={() => setChecking(!checking)}>Check for gaps</button>
          <a className="p-button" href={`/v1/audit/export?${new URLSearchParams(filter).toString()}`} download="audit.ndjson">
            Export
          </a>
        </>
      }
    >
      {checking && <Check />}
      <div className="tools">
        <input type="search" aria-label="User" placeholder="User" value={user} onChange={(e) => setUser(e.target.value)} />
        <input type="search" aria-label="Subject" placeholder="Subject, such as tenant/acme" value={subject} onChange={(e) => setSubject(e.target.value)} />
      </div>
      {log.isError && <Failure error={log.error} again={log.refetch} />}
      {entries === undefined ? !log.isError && <Loading /> : <Rows tall label="Audit log" rows={entries} columns={columns} id={(e) => String(e.seq)} empty={<Nothing title="No entries" />} />}
      {log.hasNextPage && <button onClick={() => void log.fetchNextPage()}>Show older entries</button>}
      {entry !== undefined && <Entry entry={entry} onClose={() => setEntry(undefined)} />}
    </Page>
  );
}

function Entry({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const text = (value: unknown) => (value === undefined || value === null ? "–" : JSON.stringify(value, null, 2));
  return (
    <Box title={`${entry.operation}, number ${entry.seq}`}>
      <div className="two">
        <div>
          <p>Before</p>
          <pre className="text" tabIndex={0}>{text(entry.before)}</pre>
        </div>
        <div>
          <p>After</p>
          <pre className="text" tabIndex={0}>{text(entry.after)}</pre>
        </div>
      </div>
      <button onClick={onClose}>Close</button>
    </Box>
  );
}

function Check() {
  const check = useQuery({ queryKey: ["audit-check"], staleTime: 0, queryFn: ({ signal }) => ask(api.GET("/v1/audit/check", { signal })) });
  return (
    <Box title="Is it as it was written?">
      <Query query={check}>
        {(data) => (
          <>
            <State tone={data.flaws.length === 0 ? "good" : "bad"}>
              {data.flaws.length === 0 ? `Yes: ${count(data.entries, "entry", "entries")} in one unbroken chain.` : `No: ${count(data.flaws.length, "flaw")}.`}
            </State>
            <ul>
              {data.flaws.map((flaw) => (
                <li key={flaw.seq}>
                  {flaw.seq}: {flaw.what}
                </li>
              ))}
            </ul>
            {data.last_hash !== undefined && <p className="mono">{data.last_hash}</p>}
          </>
        )}
      </Query>
    </Box>
  );
}
