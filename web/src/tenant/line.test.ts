import { expect, test } from "vitest";

import type { Backup, Snapshot } from "../api/types";
import { comparable, line, mark, title, type Point } from "./line";

const snapshot = (name: string, at: string): Snapshot => ({ tenant: "acme", name, origin: "manual", pinned: false, created_at: at, size: 0, consistency: "crash" });
const backup = (id: string, at: string): Backup => ({ id, tenant: "acme", pinned: false, taken_at: at, size: 0, moved: 0, files: 0, consistency: "crash" });

test("both are on one line, newest first, whatever the zone they are written in", () => {
  const points = line(
    [snapshot("a", "2026-01-01T00:00:00Z"), snapshot("b", "2026-01-03T00:00:00Z")],
    [backup("x", "2026-01-02T01:00:00+02:00"), backup("y", "2026-01-04T00:00:00Z")],
  );
  expect(points.map((p) => (p.kind === "snapshot" ? p.snapshot.name : p.backup.id))).toEqual(["y", "b", "x", "a"]);
});

test("a backup is compared with all but itself, a snapshot with other snapshots", () => {
  const points = line(
    [snapshot("a", "2026-01-01T00:00:00Z"), snapshot("b", "2026-01-02T00:00:00Z")],
    [backup("c1ab4aa5e7c5d0f39e1b", "2026-01-03T00:00:00Z"), backup("90e1d7f2b3a45566cc01", "2026-01-04T00:00:00Z")],
  );
  const others = (from: Point) => points.filter((p) => comparable(from, p)).map(title);
  expect(points.map((p) => [mark(p), others(p)])).toEqual([
    ["backup/90e1d7f2b3a45566cc01", ["backup c1ab4aa5e7c5", "b", "a"]],
    ["backup/c1ab4aa5e7c5d0f39e1b", ["backup 90e1d7f2b3a4", "b", "a"]],
    ["snapshot/b", ["a"]],
    ["snapshot/a", ["b"]],
  ]);
});
