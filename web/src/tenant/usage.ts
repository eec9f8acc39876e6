import type { TenantMetrics } from "../api/types";
import type { Rates } from "./rates";

/** How long what was measured is kept, in milliseconds: as long as the daemon does. */
const kept = 2 * 3600 * 1000;

/** What was known, with what is newer. */
export function joined(known: TenantMetrics | undefined, fresh: TenantMetrics): TenantMetrics {
  if (known === undefined) return fresh;
  return { ...fresh, items: newest(known.items, fresh.items), traffic: newest(known.traffic, fresh.traffic) };
}

function newest<T extends { at: string }>(known: readonly T[], fresh: readonly T[]): T[] {
  const end = known.at(-1)?.at ?? "";
  const all = [...known, ...fresh.filter((item) => item.at > end)];
  const since = Date.parse(all.at(-1)?.at ?? "") - kept;
  return all.filter((item) => Date.parse(item.at) >= since);
}

/** The end of what is known, after which the daemon is to be asked; undefined: from the beginning. */
export function endOf(known: TenantMetrics | undefined): string | undefined {
  const ends = [known?.items.at(-1)?.at, known?.traffic.at(-1)?.at].filter((at) => at !== undefined);
  // The earlier of the two, so that nothing is missed; what comes twice is dropped.
  return ends.length < 2 ? undefined : ends.sort()[0];
}

/** What a tenant keeps on the pool beside others, and shares with its golden image; null: not known. */
export interface Disk {
  own: (number | null)[];
  shared: number | null;
}

export function diskOf(metrics: TenantMetrics): Disk {
  const image = metrics.image_size ?? null;
  const within = metrics.disk === "all" ? (image ?? 0) : 0;
  return {
    own: metrics.items.map((item) => (item.disk === undefined ? null : Math.max(0, item.disk - within))),
    shared: metrics.disk === "own" || metrics.disk === "all" ? image : null,
  };
}

/** Counted spans as rates. */
export function ratesOf(metrics: TenantMetrics): Rates[] {
  return metrics.traffic.map((span) => ({
    at: Date.parse(span.at) / 1000,
    requests: span.requests / span.seconds,
    errors: span.errors / span.seconds,
    latency: span.mean === undefined ? null : span.mean * 1000,
    slow: span.p95 === undefined ? null : span.p95 * 1000,
  }));
}
