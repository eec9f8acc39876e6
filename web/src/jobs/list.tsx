import { Link } from "react-router";

import type { Job } from "../api/types";
import { Nothing } from "../show/nothing";
import { Rows, type Column } from "../show/rows";
import { JobState } from "../show/state";
import { Ago } from "../show/time";
import { about } from "./facts";
import { Subject } from "./subject";
import { took } from "./view";

const columns: readonly Column<Job>[] = [
  { key: "kind", title: "Job", show: (job) => <Link to={`/jobs/${job.id}`}>{job.kind}</Link>, sort: (job) => job.kind },
  { key: "subject", title: "For", show: (job) => <Subject subject={job.subject} />, sort: (job) => job.subject },
  { key: "state", title: "State", show: (job) => <JobState state={job.state} />, sort: (job) => job.state, width: "8rem" },
  { key: "begun", title: "Begun", show: (job) => <Ago at={job.created_at} />, sort: (job) => job.created_at, width: "10rem", minor: true },
  {
    key: "took",
    title: "Took",
    show: (job) => (job.finished ? took(job.created_at, job.updated_at) : "–"),
    sort: (job) => Date.parse(job.updated_at) - Date.parse(job.created_at),
    width: "8rem",
    minor: true,
  },
  { key: "about", title: "About", show: (job) => <span title={about(job)}>{about(job)}</span>, minor: true },
  { key: "error", title: "Error", show: (job) => <span title={job.error}>{job.error}</span>, minor: true },
];

interface Props {
  jobs: readonly Job[];
  tall?: boolean;
  label?: string;
  /** All are for the same, which is not said in each row. */
  same?: boolean;
}

/** A list of jobs. */
export function JobList({ jobs, tall = false, label = "Jobs", same = false }: Props) {
  const shown = same ? columns.filter((column) => column.key !== "subject") : columns;
  return <Rows label={label} rows={jobs} columns={shown} id={(job) => job.id} tall={tall} empty={<Nothing title="No jobs" />} />;
}
