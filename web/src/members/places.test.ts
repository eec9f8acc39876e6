import { expect, test } from "vitest";

import { clusterOf, places } from "./places";

test("members are grouped by their clusters, home first", () => {
  expect(places(["west:n1", "n1", "east:none", "n2", "west:n2"])).toEqual([
    { cluster: "", members: ["n1", "n2"] },
    { cluster: "east", members: ["east:none"] },
    { cluster: "west", members: ["west:n1", "west:n2"] },
  ]);
});

test.each([["n1", ""], ["west:n1", "west"], ["west:", "west"], ["", ""]])("the cluster of %j is %j", (member, cluster) => {
  expect(clusterOf(member)).toBe(cluster);
});
