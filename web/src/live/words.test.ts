import { expect, test } from "vitest";

import type { News } from "./feed";
import { newsOf, words } from "./words";

const at = "2026-01-01T00:00:00Z";

test.each([
  ["tenant.changed", undefined, "tenant changed"],
  ["job.changed", { message: "running" }, "job running"],
  ["job.changed", { message: 7 }, "job changed"],
])("%s with %j", (type, data, said) => {
  expect(words({ id: "1", type, at, data })).toBe(said);
});

test("a tenant's news is its own and its jobs'", () => {
  const news = (id: string, subject?: string): News => ({ id, type: "x.y", at, ...(subject === undefined ? {} : { subject }) });
  const latest = [news("1", "tenant/acme"), news("2", "tenant/acme2"), news("3", "job/j1"), news("4", "job/j2"), news("5")];
  expect(newsOf(latest, "acme", new Set(["j1"])).map((n) => n.id)).toEqual(["1", "3"]);
});
