import { expect, test } from "vitest";

import { inSight } from "./window";

test.each([
  ["nothing", 0, 0, { first: 0, end: 0 }],
  ["few rows", 5, 0, { first: 0, end: 5 }],
  ["the beginning of many", 10_000, 0, { first: 0, end: 22 }],
  ["the middle", 10_000, 200_000, { first: 4988, end: 5022 }],
  ["the end", 10_000, 399_600, { first: 9978, end: 10_000 }],
  ["scrolled beyond what a filter left", 3, 399_600, { first: 0, end: 3 }],
])("%s", (_, rows, top, want) => expect(inSight(rows, 40, top, 400)).toEqual(want));
