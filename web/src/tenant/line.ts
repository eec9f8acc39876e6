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

/** How a point is called. */
export function title(point: Point): string {
  return point.kind === "snapshot" ? point.snapshot.name : `backup ${point.backup.id.slice(0, 12)}`;
}

/** What tells a point from all others of its tenant. */
export function mark(point: Point): string {
  return point.kind === "snapshot" ? `snapshot/${point.snapshot.name}` : `backup/${point.backup.id}`;
}

/** Whether the files of one point can be compared with those of another: a snapshot's with those of snapshots only. */
export function comparable(from: Point, to: Point): boolean {
  return mark(from) !== mark(to) && (from.kind === "backup" || to.kind === "snapshot");
}
