import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Job } from "../api/types";
import { Page } from "../shell/page";
import { Failure, Loading } from "../show/nothing";
import { count } from "../show/format";
import { JobList } from "./list";

const states: readonly Job["state"][] = ["queued", "running", "undoing", "done", "undone", "cancelled", "stuck"];

/** All jobs, live. */
export function Jobs() {
  const [state, setState] = useState<Job["state"] | "">("");
  const [text, setText] = useState("");
  const jobs = useInfiniteQuery({
    queryKey: ["jobs", "all", state],
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: 200, ...(pageParam === "" ? {} : { cursor: pageParam }), ...(state === "" ? {} : { state: [state] }) };
      return ask(api.GET("/v1/jobs", { params: { query }, signal }));
    },
    getNextPageParam: (page) => page.next_cursor,
  });
  const all = jobs.data?.pages.flatMap((page) => page.items);
  const found = all?.filter((job) => `${job.kind} ${job.subject} ${job.id}`.includes(text));
  return (
    <Page title="Jobs">
      <div className="tools">
        <input type="search" placeholder="Kind, subject or id" aria-label="Search jobs" value={text} onChange={(e) => setText(e.target.value)} />
        <select aria-label="State" value={state} onChange={(e) => setState(e.target.value as Job["state"] | "")}>
          <option value="">All states</option>
          {states.map((s) => (
            <option key={s}>{s}</option>
          ))}
        </select>
        {found !== undefined && <span className="tools__count">{count(found.length, "job")}</span>}
      </div>
      {jobs.isError && <Failure error={jobs.error} again={jobs.refetch} />}
      {found === undefined ? !jobs.isError && <Loading /> : <JobList jobs={found} tall />}
      {jobs.hasNextPage && (
        <button disabled={jobs.isFetchingNextPage} onClick={() => void jobs.fetchNextPage()}>
          Show older jobs
        </button>
      )}
    </Page>
  );
}
