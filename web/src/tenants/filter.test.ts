import { expect, test } from "vitest";

import type { Tenant } from "../api/types";
import { withRows } from "./merge";
import { filterOf, filtered, queryOf } from "./filter";

function tenant(name: string, more: Partial<Tenant> = {}): Tenant {
  const at = "2026-01-01T00:00:00Z";
  const health = { port: 80, path: "/", timeout: "1m" };
  return {
    id: name, name, labels: {}, image: "tiny/1", plan: "small", domains: [`${name}.example`], health, desired: "running", status: "running",
    ready: true, created_at: at, updated_at: at, revision: 1, ...more,
  };
}

const all = [
  tenant("acme", { labels: { ring: "a" }, location: "n1" }),
  tenant("globex", { plan: "large", display_name: "Globex GmbH" }),
  tenant("initech", { status: "stopped", location: "n1" }),
];

test.each([
  ["everything", "", ["acme", "globex", "initech"]],
  ["a part of the name", "search=GLO", ["globex"]],
  ["a domain", "search=initech.ex", ["initech"]],
  ["a label", "search=ring=a", ["acme"]],
  ["words that must all be there", "search=gmbh glob", ["globex"]],
  ["status", "status=stopped", ["initech"]],
  ["member and plan", "member=n1&plan=small", ["acme", "initech"]],
  ["nothing", "search=nobody", []],
])("%s", (_, query, want) => {
  expect(filtered(all, filterOf(new URLSearchParams(query))).map((t) => t.name)).toEqual(want);
});

test("a filter survives its address", () => {
  const filter = { search: "a&b=c", status: "running", plan: "", image: "x/1", member: "" };
  expect(filterOf(new URLSearchParams(queryOf(filter).toString()))).toEqual(filter);
});

test("rows are replaced, added and taken away, and stay in order", () => {
  const fresh = new Map([["acme", undefined], ["beta", tenant("beta")], ["globex", tenant("globex", { plan: "small" })]]);
  expect(withRows(all, fresh).map((t) => `${t.name} ${t.plan}`)).toEqual(["beta small", "globex small", "initech small"]);
});
