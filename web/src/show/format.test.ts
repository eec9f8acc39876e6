import { expect, test } from "vitest";

import { ago, bytes, brief, count, percent, span } from "./format";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.00 KiB"],
  [15_728_640, "15.0 MiB"],
  [12_884_901_888, "12.0 GiB"],
  [1e20, "88818 PiB"],
])("%d bytes are %s", (n, text) => expect(bytes(n)).toBe(text));

test.each([
  [0, "0 %"],
  [0.064, "0.1 %"],
  [12.4, "12 %"],
  [100, "100 %"],
])("%d is %s", (n, text) => expect(percent(n)).toBe(text));

const now = new Date("2026-06-01T12:00:00Z");
test.each([
  ["2026-06-01T11:59:58Z", "just now"],
  ["2026-06-01T11:59:30Z", "30 seconds ago"],
  ["2026-06-01T09:00:00Z", "3 hours ago"],
  ["2026-05-31T11:00:00Z", "yesterday"],
  ["2026-06-01T12:05:00Z", "in 5 minutes"],
])("%s is %s", (at, text) => expect(ago(new Date(at), now)).toBe(text));

test("one is one", () => {
  expect(count(1, "tenant")).toBe("1 tenant");
  expect(count(10_000, "tenant")).toBe("10,000 tenants");
});

test.each([
  ["240ms", "0.2 s"],
  ["1.24s", "1.2 s"],
  ["9.96s", "10 s"],
  ["59.7s", "1 min 0 s"],
  ["3m1.6s", "3 min 2 s"],
])("%s took %s", (text, said) => {
  expect(brief(text)).toBe(said);
});

test.each([
  ["260.416µs", "less than a second"],
  ["3.500001525s", "3.5 s"],
  ["4s", "4 s"],
  ["1m3.4s", "63 s"],
  ["12m30s", "13 min"],
  ["1h45m0s", "1.8 h"],
])("%s is %s", (text, said) => {
  expect(span(text)).toBe(said);
});
