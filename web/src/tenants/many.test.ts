import { expect, test } from "vitest";

import { bulkOf, spelled, titleOf, typed, verbs } from "./many";

const names = Array.from({ length: 14 }, (_, i) => `t${i + 1}`);

test.each(verbs)("%s is one request with all names", (verb) => {
  expect(bulkOf(verb, names)).toEqual({ action: verb, tenants: names });
});

test("many names are cut", () => {
  expect(spelled(["acme", "globex"])).toBe("acme, globex.");
  expect(spelled(names.slice(0, 12))).toMatch(/t12\.$/);
  expect(spelled(names)).toMatch(/t12 and 2 more\.$/);
});

test("only deleting asks for something to be typed", () => {
  expect(typed("restart", names)).toBeUndefined();
  expect(typed("delete", ["acme"])).toBe("acme");
  expect(typed("delete", names)).toBe("delete 14");
});

test("the title says how many", () => {
  expect(titleOf("restart", ["acme"])).toBe("restart 1 tenant");
  expect(titleOf("stop", names)).toBe("stop 14 tenants");
});
