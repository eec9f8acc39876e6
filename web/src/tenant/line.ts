import type { Backup, Snapshot } from "../api/types";

/** A moment that a tenant can be brought back to. */
export type Point = { at: string; kind: "snapshot"; snapshot: Snapshot } | { at: string; kind: "backup"; backup: Backup };

/** Snapshots and backups together, newest first. */
export function line(snapshots: readonly Snapshot[], backups: readonly Backup[]): Point[] {
  const points: Point[] = [
    ...snapshots.map((snapshot) => ({ at: snapshot.created_at, kind: "snapshot" as const, snapshot })),
    ...backups.map((backup) => ({ at: backup.taken_at, kind: "backup" as const, backup })),
  ];
  return points.sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}
