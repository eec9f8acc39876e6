import { expect, test } from "vitest";

import { about, factName, factValue } from "./facts";

test.each([
  [undefined, ""],
  [{ from: "n1", to: "west:n2", waited: "1.24s" }, "n1 → west:n2, requests waited 1.2 s"],
  [{ from: "n1", to: "n2", for: "member/n1" }, "n1 → n2, for member/n1"],
  [{ to: "n2" }, "to n2"],
  [{ plan: "small", action: "resize" }, "plan small, action resize"],
])("%j", (facts, said) => {
  expect(about(facts === undefined ? {} : { facts })).toBe(said);
});

test("each has a name and a value for people", () => {
  expect([factName("from"), factName("waited"), factName("for")]).toEqual(["From", "Requests waited", "Part of"]);
  expect([factValue("from", "n1"), factValue("waited", "310ms")]).toEqual(["n1", "0.3 s"]);
});
