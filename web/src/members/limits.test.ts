import { expect, test } from "vitest";

import { limitsOf, unlimited } from "./limits";

test("what is empty is left to the daemon", () => {
  expect(limitsOf(unlimited)).toEqual({});
});

test("what is said goes along", () => {
  expect(limitsOf({ atOnce: "3", limit: " 50MiB ", hold: "20s" })).toEqual({ at_once: 3, limit: "50MiB", max_hold: "20s" });
});
