import { expect, test } from "vitest";

import { keepOf, keepText } from "./keep";

test("rules come back as they were", () => {
  const keep = { last: 3, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 2, min_age: "72h" };
  expect(keepOf(keepText(keep))).toEqual(keep);
});

test("nothing keeps all", () => {
  expect(keepText(undefined)).toBe("");
  expect(keepOf(" ")).toEqual({});
});

test.each(["often", "daily=many", "min-age=", "daily"])("%s is no rule", (text) => {
  expect(() => keepOf(text)).toThrow("no rule");
});
