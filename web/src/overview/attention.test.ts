import { expect, test } from "vitest";

import type { Member, Tenant } from "../api/types";
import { concerns } from "./attention";

const level = { tenants: 0, cpu: 0, memory: 0, disk: 0, pool: 10, memory_used: 0 };
const member = (name: string, more: Partial<Member>): Member => ({
  name, online: true, status: "Online", cordoned: false, labels: {}, tenants: 0, reserved: { cpu: 0, memory: 0, disk: 0 }, level,
  pool_total: 1, pool_used: 0, memory_total: 1, memory_used: 0, cpus: 1, ...more,
});
const at = "2026-01-01T00:00:00Z";
const tenant = (name: string, more: Partial<Tenant>): Tenant => ({
  id: name, name, labels: {}, image: "x/1", plan: "small", domains: [], health: { port: 80, path: "/", timeout: "1m" }, desired: "running",
  status: "running", ready: true, created_at: at, updated_at: at, revision: 1, ...more,
});

test("a fleet that is well needs nothing", () => {
  const findings = [{ check: "store", state: "ok" as const, message: "answers" }];
  expect(concerns({ members: [member("n1", {})], tenants: [tenant("acme", {})], stuck: [], findings })).toEqual([]);
});

test("the worst comes first", () => {
  const got = concerns({
    members: [member("n1", { level: { ...level, pool: 88 } }), member("n2", { online: false, status: "Offline" })],
    tenants: [tenant("acme", { status: "unhealthy" }), tenant("globex", { pending_domains: ["g.example"] })],
    stuck: [],
    findings: [{ check: "backups", state: "warn", message: "stay here" }],
  });
  expect(got.map((c) => `${c.bad ? "bad" : "warn"} ${c.title}`)).toEqual(["bad n2", "bad acme", "warn n1", "warn globex", "warn backups"]);
});

test("a tenant is told of once", () => {
  const got = concerns({ members: [], tenants: [tenant("acme", { status: "missing", problem: "its instance is gone" })], stuck: [], findings: [] });
  expect(got).toHaveLength(1);
});
