import { expect, test } from "vitest";

import { stale, staleTenant } from "./stale";

const at = "2026-01-01T00:00:00Z";

test.each([
  ["a tenant", { id: "1", type: "tenant.changed", subject: "tenant/acme", at }, ["tenant", "acme"]],
  ["a job", { id: "1", type: "job.changed", subject: "job/j1", at }, ["job", "j1"]],
  ["a snapshot", { id: "1", type: "snapshot.changed", subject: "tenant/acme", at }, ["tenant", "acme"]],
  ["lost news", { id: "", type: "resync", at }, []],
])("%s makes its queries stale", (_, news, key) => {
  expect(stale(news)).toContainEqual(key);
});

test("what is not known makes nothing stale", () => {
  expect(stale({ id: "1", type: "weather.changed", subject: "sky/blue", at })).toEqual([]);
});

test("only tenants have rows", () => {
  expect(staleTenant({ id: "1", type: "tenant.removed", subject: "tenant/acme", at })).toBe("acme");
  expect(staleTenant({ id: "1", type: "job.changed", subject: "job/j1", at })).toBeUndefined();
  expect(staleTenant({ id: "1", type: "tenant.changed", subject: "image/x", at })).toBeUndefined();
});
