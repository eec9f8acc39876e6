import { expect, test } from "vitest";

import { said, summary, type Outcome } from "./outcomes";

const all: readonly Outcome[] = [
  { tenant: "a", state: "done", job: "j1" },
  { tenant: "b", state: "not_begun" },
  { tenant: "c", state: "failed", why: "is busy" },
  { tenant: "d", state: "under_way", job: "j2" },
  { tenant: "e", state: "gone" },
  { tenant: "f", state: "planned", job: "j3", at: "2026-01-01T00:00:00Z" },
  { tenant: "g", state: "done", job: "j4" },
];

test("how many there are of each, failures first", () => {
  expect(summary(all, false)).toBe("1 failed, 1 under way, 1 skipped, 1 waiting, 1 planned, 2 done");
  expect(summary([], true)).toBe("");
});

test("what was not begun waits, until the job has ended", () => {
  const outcome: Outcome = { tenant: "b", state: "not_begun" };
  expect([said(outcome, false).word, said(outcome, true).word]).toEqual(["waiting", "skipped"]);
});

test("a failure says why", () => {
  expect(said({ tenant: "c", state: "failed", why: "is busy" }, true)).toMatchObject({ word: "failed", tone: "bad", more: "is busy" });
});
