import type { JobEvent } from "../api/types";

/** What became of one step of a job. */
export interface Step {
  name: string;
  state: "running" | "done" | "failed" | "undoing" | "undone";
  startedAt: string;
  endedAt?: string;
  message?: string;
  percent?: number;
  bytes?: number;
  /** What it printed, by line. */
  output: string[];
  /** How often it was begun: more than once after a crash of the daemon. */
  tries: number;
}

const ends: Partial<Record<JobEvent["type"], Step["state"]>> = {
  done: "done",
  failed: "failed",
  undo_started: "undoing",
  undone: "undone",
};

/** Gives steps with one more event; events that are no step's change nothing. */
export function withEvent(steps: readonly Step[], event: JobEvent): readonly Step[] {
  if (event.step === undefined || event.step === "") return steps;
  const at = steps.findIndex((step) => step.name === event.step);
  if (at === -1) return [...steps, after(begin(event), event)];
  return steps.map((step, i) => (i === at ? after(step, event) : step));
}

function begin(event: JobEvent): Step {
  return { name: event.step ?? "", state: "running", startedAt: event.at, output: [], tries: 0 };
}

function after(step: Step, event: JobEvent): Step {
  const next: Step = { ...step };
  switch (event.type) {
    case "started":
      next.state = "running";
      next.tries++;
      delete next.endedAt;
      break;
    case "output":
      next.output = [...step.output, ...(event.message ?? "").split("\n")].slice(-2000);
      return next;
    case "progress":
      break;
    default:
      next.state = ends[event.type] ?? step.state;
      next.endedAt = event.at;
  }
  if (event.message !== undefined && event.message !== "") next.message = event.message;
  if (event.percent !== undefined) next.percent = event.percent;
  if (event.bytes !== undefined) next.bytes = event.bytes;
  return next;
}
