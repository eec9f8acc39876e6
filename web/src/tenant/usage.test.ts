import { expect, test } from "vitest";

import type { TenantMetrics } from "../api/types";
import { diskOf, endOf, joined, ratesOf } from "./usage";

function metrics(disk: TenantMetrics["disk"], items: TenantMetrics["items"], image?: number): TenantMetrics {
  return { disk, items, traffic: [], ...(image === undefined ? {} : { image_size: image }) };
}

const use = (at: string, disk?: number) => ({ at, memory: 1, processes: 1, ...(disk === undefined ? {} : { disk }) });

test.each([
  ["own", 100, [10, null], 100],
  ["all", 4, [6, null], 4],
  ["unshared", undefined, [10, null], null],
  ["unknown", undefined, [10, null], null],
] as const)("a disk that counts %s", (counts, image, own, shared) => {
  expect(diskOf(metrics(counts, [use("2026-01-01T00:00:00Z", 10), use("2026-01-01T00:00:30Z")], image))).toEqual({ own, shared });
});

test("less than the image is nothing of its own", () => {
  expect(diskOf(metrics("all", [use("2026-01-01T00:00:00Z", 10)], 100)).own).toEqual([0]);
});

test("what is newer comes after, what is older than two hours goes", () => {
  const known = metrics("own", [use("2026-01-01T00:00:00Z"), use("2026-01-01T01:30:00Z")]);
  const got = joined(known, metrics("own", [use("2026-01-01T02:15:00Z")]));
  expect(got.items.map((item) => item.at)).toEqual(["2026-01-01T01:30:00Z", "2026-01-01T02:15:00Z"]);
});

test("it is asked after what is known of both", () => {
  expect(endOf(undefined)).toBeUndefined();
  expect(endOf(metrics("own", [use("2026-01-01T00:00:00Z")]))).toBeUndefined();
  const span = { at: "2026-01-01T00:00:10Z", seconds: 30, requests: 60, errors: 3, mean: 0.02, p95: 0.1 };
  expect(endOf({ ...metrics("own", [use("2026-01-01T00:00:20Z")]), traffic: [span] })).toBe("2026-01-01T00:00:10Z");
  expect(ratesOf({ ...metrics("own", []), traffic: [span] })).toMatchObject([{ requests: 2, errors: 0.1, latency: 20, slow: 100 }]);
});

test("what comes twice is kept once", () => {
  const known = metrics("own", [use("2026-01-01T00:00:00Z"), use("2026-01-01T00:00:05Z")]);
  expect(joined(known, metrics("own", [use("2026-01-01T00:00:05Z"), use("2026-01-01T00:00:10Z")])).items).toHaveLength(3);
});
