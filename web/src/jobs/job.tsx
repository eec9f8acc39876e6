import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams } from "react-router";

import { api, ask, once } from "../api/client";
import type { Job } from "../api/types";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { Moment } from "../show/time";
import { factName, factValue } from "./facts";
import { isOfMany } from "./outcomes";
import { Parts } from "./parts";
import { jobQuery } from "./query";
import { Subject } from "./subject";
import { JobView } from "./view";

/** One job, live. */
export function JobPage() {
  const { id = "" } = useParams();
  const { data } = useQuery(jobQuery(id));
  return (
    <Page title={data?.job.kind ?? "Job"} actions={data !== undefined && <Actions job={data.job} />}>
      <div className="two">
        <Box title="What it does">
          <JobView id={id} />
        </Box>
        {data !== undefined && (
          <Box title="About it">
            <Facts
              facts={[
                ["For", <Subject key="s" subject={data.job.subject} />],
                ...Object.entries(data.job.facts ?? {}).map(([name, value]) => [factName(name), shown(name, value)] as const),
                ["Id", <span key="i" className="mono">{data.job.id}</span>],
                ["Begun", <Moment key="b" at={data.job.created_at} />],
                ["Last change", <Moment key="l" at={data.job.updated_at} />],
              ]}
            />
            <p>
              <Link to="/jobs">All jobs</Link>
            </p>
          </Box>
        )}
      </div>
      {data !== undefined && isOfMany(data.job) && <Parts job={data.job} />}
    </Page>
  );
}

function shown(name: string, value: string) {
  return name === "for" ? <Subject key={name} subject={value} /> : factValue(name, value);
}

function Actions({ job }: { job: Job }) {
  const operator = useMay("operator");
  const { busy, act } = useAct();
  const [asking, setAsking] = useState(false);
  const params = { path: { id: job.id }, header: once() };
  if (!operator) return null;
  return (
    <>
      {!job.finished && (
        <button disabled={busy || job.cancel === true} onClick={() => setAsking(true)}>
          Cancel
        </button>
      )}
      {job.state === "stuck" && (
        <button className="p-button--positive" disabled={busy} onClick={() => void act("Retry the job", () => ask(api.POST("/v1/jobs/{id}/retry", { params })))}>
          Retry
        </button>
      )}
      {asking && (
        <Confirm
          title="Cancel this job?"
          verb="Cancel the job"
          onClose={() => setAsking(false)}
          onConfirm={() => act("Cancel the job", () => ask(api.POST("/v1/jobs/{id}/cancel", { params })))}
        >
          {isOfMany(job) ? (
            <p>It begins nothing more. What is under way for single tenants goes on to its end, and what is done stays done.</p>
          ) : (
            <p>It stops at the next chance and takes back what it did. Past its point of no return it goes on to its end.</p>
          )}
        </Confirm>
      )}
    </>
  );
}
