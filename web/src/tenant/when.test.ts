import { expect, test } from "vitest";

import { instant } from "./when";

test("a local time is that moment", () => {
  expect(Date.parse(instant("2026-11-23T02:00"))).toBe(new Date(2026, 10, 23, 2).getTime());
});

test.each(["", "soon"])("%j is no time", (text) => {
  expect(instant(text)).toBe("");
});
