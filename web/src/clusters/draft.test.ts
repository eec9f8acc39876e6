import { expect, test } from "vitest";

import { clusterOfDraft, complete, emptyCluster } from "./draft";

test("a token, as it was pasted", () => {
  const draft = { ...emptyCluster, name: "west", token: " eyJ\n", password: "left over", pool: "tank" };
  expect(complete(draft)).toBe(true);
  expect(clusterOfDraft(draft)).toEqual({ name: "west", token: "eyJ", pool: "tank" });
});

test("a password, which is not trimmed", () => {
  const draft = { ...emptyCluster, name: "old", way: "password" as const, token: "left over", password: " p ", fingerprint: "1555", url: "https://10.0.0.1:8443" };
  expect(complete(draft)).toBe(true);
  expect(clusterOfDraft(draft)).toEqual({ name: "old", password: " p ", fingerprint: "1555", url: "https://10.0.0.1:8443" });
});

test.each([
  ["no name", { token: "eyJ" }],
  ["no token", { name: "west" }],
  ["a password without an address", { name: "old", way: "password" as const, password: "p", fingerprint: "1" }],
])("%s is too little", (_, more) => {
  expect(complete({ ...emptyCluster, ...more })).toBe(false);
});
