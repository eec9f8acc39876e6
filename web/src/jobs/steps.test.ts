import { expect, test } from "vitest";

import type { JobEvent } from "../api/types";
import { withEvent, type Step } from "./steps";

let seq = 0;
function event(step: string, type: JobEvent["type"], more: Partial<JobEvent> = {}): JobEvent {
  return { job: "j", seq: ++seq, step, type, at: `2026-01-01T00:00:0${seq % 10}Z`, ...more };
}

function replay(...events: JobEvent[]): readonly Step[] {
  return events.reduce<readonly Step[]>(withEvent, []);
}

test("a step runs and is done", () => {
  const steps = replay(event("clone", "started"), event("clone", "progress", { percent: 40, bytes: 7, message: "copying" }), event("clone", "done"));
  expect(steps).toMatchObject([{ name: "clone", state: "done", percent: 40, bytes: 7, message: "copying", tries: 1 }]);
});

test("output is kept by line, and is no message", () => {
  const [step] = replay(event("build", "started"), event("build", "output", { message: "one\ntwo" }), event("build", "output", { message: "three" }));
  expect(step?.output).toEqual(["one", "two", "three"]);
  expect(step?.message).toBeUndefined();
});

test("what failed is undone, last first", () => {
  const steps = replay(event("a", "started"), event("a", "done"), event("b", "started"), event("b", "failed", { message: "no" }), event("a", "undo_started"), event("a", "undone"));
  expect(steps.map((s) => [s.name, s.state])).toEqual([["a", "undone"], ["b", "failed"]]);
});

test("a step that a crash cut is begun again", () => {
  const [step] = replay(event("a", "started"), event("a", "started"), event("a", "done"));
  expect(step).toMatchObject({ state: "done", tries: 2 });
});

test("a job's own changes are no step", () => {
  expect(replay({ job: "j", seq: 1, type: "state", message: "running", at: "2026-01-01T00:00:00Z" })).toEqual([]);
});
