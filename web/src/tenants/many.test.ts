import { expect, test } from "vitest";

import { bulkOf, lxcOf, spelled, titleOf, typed, verbs } from "./many";

const names = Array.from({ length: 14 }, (_, i) => `t${i + 1}`);

test.each(verbs)("%s is one request with all names", (verb) => {
  expect(bulkOf(verb, names, { atOnce: "", to: "", plan: "large" })).toEqual({ action: verb, tenants: names, ...(verb === "resize" ? { plan: "large" } : {}) });
});

test("how it is done goes along, and a place only with a move, a plan only with a resize", () => {
  expect(bulkOf("move", ["acme"], { atOnce: "2", to: "west:n1", plan: "" })).toEqual({ action: "move", tenants: ["acme"], at_once: 2, to: "west:n1" });
  expect(bulkOf("stop", ["acme"], { atOnce: "2", to: "n1", plan: "large" })).toEqual({ action: "stop", tenants: ["acme"], at_once: 2 });
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

test("lxc takes all names where it can", () => {
  expect(lxcOf("stop", ["acme", "globex"])?.[0]).toBe("stop acme globex --timeout 60");
  expect(lxcOf("delete", ["acme"])?.[1]).toMatch(/trash/);
  expect(lxcOf("snapshot", ["acme"])).toBeUndefined();
});

test("the title says how many", () => {
  expect(titleOf("restart", ["acme"])).toBe("restart 1 tenant");
  expect(titleOf("stop", names)).toBe("stop 14 tenants");
});
