import { expect, test } from "vitest";

import type { Traffic } from "../api/types";
import { rates } from "./rates";

function traffic(at: string, requests: number, failed: number, seconds: number, since = "2026-01-01T00:00:00Z"): Traffic {
  const item = {
    tenant: "acme", state: "serve", requests, codes: [{ class: 5, code: 502, requests: failed }], buckets: [requests], seconds, answered: requests,
    first_byte_seconds: 0, bytes_in: 0, bytes_out: 0, held_total: 0, held_seconds: 0, retries: 0, in_flight: 0, held: 0,
  };
  return { at, since, generation: 1, hosts: 1, bounds: [0.1], items: [item] };
}

test("the difference of two answers, per second", () => {
  const got = rates(traffic("2026-01-01T00:00:10Z", 100, 1, 1), traffic("2026-01-01T00:00:15Z", 150, 6, 2), "acme");
  expect(got).toMatchObject({ requests: 10, errors: 1, latency: 20, slow: 95 });
});

test("a tenant that comes later begins from nothing", () => {
  const before = { ...traffic("2026-01-01T00:00:10Z", 0, 0, 0), items: [] };
  expect(rates(before, traffic("2026-01-01T00:00:20Z", 50, 0, 1), "acme")).toMatchObject({ requests: 5, latency: 20 });
});

test("nothing answered has no latency", () => {
  expect(rates(traffic("2026-01-01T00:00:10Z", 9, 0, 1), traffic("2026-01-01T00:00:15Z", 9, 0, 1), "acme")).toMatchObject({ requests: 0, latency: null });
});

test.each([
  ["a restart", traffic("2026-01-01T00:00:15Z", 5, 0, 1, "2026-01-01T00:00:12Z")],
  ["fewer than before", traffic("2026-01-01T00:00:15Z", 5, 0, 1)],
  ["the same moment", traffic("2026-01-01T00:00:10Z", 100, 0, 1)],
])("%s does not connect", (_, after) => {
  expect(rates(traffic("2026-01-01T00:00:10Z", 100, 0, 1), after, "acme")).toBeUndefined();
});
