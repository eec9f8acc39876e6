import { Link } from "react-router";

import type { Job } from "../api/types";
import { Nothing } from "../show/nothing";
import { brief } from "../show/format";
import { Rows, type Column } from "../show/rows";
import { JobState } from "../show/state";
import { Ago } from "../show/time";
import { Subject } from "./subject";
import { took } from "./view";

const columns: readonly Column<Job>[] = [
  { key: "begun", title: "Begun", show: (job) => <Link to={`/jobs/${job.id}`}><Ago at={job.created_at} /></Link>, sort: (job) => job.created_at, width: "9rem" },
  { key: "from", title: "From", show: (job) => <Place name={job.facts?.["from"]} />, sort: (job) => job.facts?.["from"] ?? "" },
  { key: "to", title: "To", show: (job) => <Place name={job.facts?.["to"]} />, sort: (job) => job.facts?.["to"] ?? "" },
  { key: "state", title: "State", show: (job) => <JobState state={job.state} />, sort: (job) => job.state, width: "7rem" },
  { key: "waited", title: "Requests waited", show: (job) => waited(job), width: "8.5rem" },
  { key: "took", title: "Took", show: (job) => (job.finished ? took(job.created_at, job.updated_at) : "–"), width: "6rem", minor: true },
  { key: "for", title: "For", show: (job) => <Subject subject={job.facts?.["for"]} />, minor: true },
  { key: "error", title: "Error", show: (job) => <span title={job.error}>{job.error}</span>, minor: true },
];

function waited(job: Job): string {
  const span = job.facts?.["waited"];
  return span === undefined ? "–" : brief(span);
}

function Place({ name }: { name: string | undefined }) {
  return name === undefined ? null : <Link to={`/members/${name}`}>{name}</Link>;
}

/** A tenant's moves: from where to where, and how long its requests waited. */
export function MoveList({ moves }: { moves: readonly Job[] }) {
  return <Rows label="Moves" rows={moves} columns={columns} id={(job) => job.id} empty={<Nothing title="No moves" />} />;
}
