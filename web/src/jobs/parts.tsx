import { Link } from "react-router";

import type { Job } from "../api/types";
import { Box } from "../show/box";
import { Nothing } from "../show/nothing";
import { Rows, type Column } from "../show/rows";
import { State } from "../show/state";
import { Ago } from "../show/time";
import { about } from "./facts";
import { said, summary, type Outcome } from "./outcomes";

function columns(finished: boolean): readonly Column<Outcome>[] {
  return [
    { key: "tenant", title: "Tenant", show: (o) => <Link to={`/tenants/${o.tenant}`}>{o.tenant}</Link>, sort: (o) => o.tenant, width: "14rem" },
    { key: "state", title: "Outcome", show: (o) => <Word outcome={o} finished={finished} />, sort: (o) => said(o, finished).rank, width: "8rem" },
    { key: "more", title: "About", show: (o) => <More outcome={o} finished={finished} /> },
    { key: "job", title: "Job", show: (o) => o.job !== undefined && <Link to={`/jobs/${o.job}`}>its job</Link>, width: "6rem" },
  ];
}

function Word({ outcome, finished }: { outcome: Outcome; finished: boolean }) {
  const { tone, word } = said(outcome, finished);
  return (
    <State tone={tone} live={tone === "busy"}>
      {word}
    </State>
  );
}

function More({ outcome, finished }: { outcome: Outcome; finished: boolean }) {
  if (outcome.at !== undefined) return <Ago at={outcome.at} />;
  const { more } = said(outcome, finished);
  if (more !== undefined) return <span title={more}>{more}</span>;
  return <>{about(outcome)}</>;
}

/** What came of each tenant of a job so far. */
export function Parts({ job }: { job: Job }) {
  const outcomes = job.outcomes ?? [];
  return (
    <Box title="Each tenant">
      {outcomes.length > 0 && <p role="status">{summary(outcomes, job.finished)}</p>}
      <Rows
        label="Each tenant"
        rows={outcomes}
        columns={columns(job.finished)}
        id={(outcome) => outcome.tenant}
        tall={outcomes.length > 50}
        empty={<Nothing title={job.finished ? "No tenant was concerned" : "Nothing is begun yet"} />}
      />
    </Box>
  );
}
