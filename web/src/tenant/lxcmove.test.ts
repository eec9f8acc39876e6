import { expect, test } from "vitest";

import { lxcMove } from "./lxcmove";

test.each([
  ["n2", "move acme --target n2"],
  ["west:n1", "move acme west:acme --target n1"],
  ["west:none", "move acme west:acme"],
])("to %s", (to, command) => {
  expect(lxcMove("acme", to)).toBe(command);
});
