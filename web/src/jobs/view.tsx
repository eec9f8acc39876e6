import { useQuery } from "@tanstack/react-query";

import { bytes, lasting } from "../show/format";
import { Failure, sentence } from "../show/nothing";
import { Query } from "../show/query";
import { JobState, State, type Tone } from "../show/state";
import { useSteps } from "./follow";
import { jobQuery } from "./query";
import type { Step } from "./steps";

const tones: Record<Step["state"], Tone> = { running: "busy", done: "good", failed: "bad", undoing: "warn", undone: "idle" };

/** A job as it runs: each step with what it says. */
export function JobView({ id }: { id: string }) {
  const job = useQuery(jobQuery(id));
  const steps = useSteps(id);
  return (
    <Query query={job}>
      {({ job }) => (
        <>
          <p>
            <JobState state={job.state} />
            {job.cancel === true && !job.finished && " – somebody asked it to stop"}
          </p>
          <ol className="steps" aria-label="Steps">
            {steps.map((step) => (
              <StepView key={step.name} step={step} finished={job.finished} />
            ))}
          </ol>
          {job.error !== undefined && <Failure error={new Error(job.hint === undefined ? job.error : `${sentence(job.error)} ${job.hint}`)} />}
        </>
      )}
    </Query>
  );
}

function StepView({ step, finished }: { step: Step; finished: boolean }) {
  const running = step.state === "running" && !finished;
  return (
    <li className={`tone-${tones[step.state]}`}>
      <span className="dot" aria-hidden="true" />
      <strong>{step.name}</strong> <span className="u-text--muted">{note(step)}</span>
      {running && step.percent !== undefined && (
        <div>
          <progress max={100} value={step.percent} aria-label={`Progress of ${step.name}`} />
        </div>
      )}
      {step.message !== undefined && <div>{step.message}</div>}
      {step.output.length > 0 && (
        <details open={running || step.state === "failed"}>
          <summary>Output, {step.output.length} lines</summary>
          <pre className="text" tabIndex={0}>
            {step.output.join("\n")}
          </pre>
        </details>
      )}
      {running && <State tone="busy" live>{"working"}</State>}
    </li>
  );
}

function note(step: Step): string {
  const parts: string[] = [];
  if (step.state !== "running" && step.state !== "done") parts.push(step.state);
  if (step.endedAt !== undefined) parts.push(took(step.startedAt, step.endedAt));
  if (step.bytes !== undefined && step.bytes > 0) parts.push(bytes(step.bytes));
  if (step.tries > 1) parts.push(`begun ${step.tries} times`);
  return parts.join(", ");
}

/** How long it was between two moments, such as "1.4 s" or "3 min". */
export function took(from: string, to: string): string {
  return lasting((Date.parse(to) - Date.parse(from)) / 1000);
}
