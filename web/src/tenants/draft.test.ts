import { expect, test } from "vitest";

import { domainsFault, empty, labelsOf, nameFault, requestOf } from "./draft";

test.each([
  ["acme", ""],
  ["", ""],
  ["9lives", "begins with a letter"],
  ["Acme", "begins with a letter"],
  ["a_b", "hyphens only"],
  ["a-", "end with a hyphen"],
  ["a".repeat(64), "63 letters"],
  ["globex", "already"],
])("the name %j", (name, fault) => {
  const got = nameFault(name, new Set(["globex"]));
  if (fault === "") expect(got).toBe("");
  else expect(got).toContain(fault);
});

test.each([
  ["shop.example, www.shop.example", ""],
  ["https://shop.example", "host only"],
  ["shop", "no dot"],
  ["new.example Taken.example", "belongs to globex"],
])("the domains %j", (text, fault) => {
  const got = domainsFault(text, new Map([["taken.example", "globex"]]));
  if (fault === "") expect(got).toBe("");
  else expect(got).toContain(fault);
});

test("labels may have = in their values", () => {
  expect(labelsOf("ring=a, note=x=y flag")).toEqual({ ring: "a", note: "x=y", flag: "" });
});

test("what is empty is left out of the request", () => {
  expect(requestOf({ ...empty, name: "acme", image: "wordpress", domains: "a.example\nb.example" })).toEqual({
    name: "acme",
    image: "wordpress",
    domains: ["a.example", "b.example"],
  });
});
