import type { TenantTraffic, Traffic } from "../api/types";

/** What happened between two answers, per second or as a mean. */
export interface Rates {
  /** Seconds since 1970. */
  at: number;
  requests: number;
  /** Of them, those answered with 5xx. */
  errors: number;
  /** Milliseconds; null where nothing was answered. */
  latency: number | null;
  /** Milliseconds that 95 of 100 answers did not exceed; likewise. */
  slow: number | null;
}

/**
 * Gives what happened to a tenant between two answers; undefined where they do not connect, as
 * after a restart of the daemon.
 */
export function rates(before: Traffic, after: Traffic, name: string): Rates | undefined {
  const seconds = (Date.parse(after.at) - Date.parse(before.at)) / 1000;
  const was = before.items.find((item) => item.tenant === name);
  const is = after.items.find((item) => item.tenant === name);
  if (before.since !== after.since || seconds <= 0 || is === undefined) return undefined;
  const requests = is.requests - (was?.requests ?? 0);
  const buckets = is.buckets.map((n, i) => n - (was?.buckets[i] ?? 0));
  const timed = sum(buckets);
  if (requests < 0 || timed < 0) return undefined;
  const took = is.seconds - (was?.seconds ?? 0);
  return {
    at: Date.parse(after.at) / 1000,
    requests: requests / seconds,
    errors: (failed(is) - (was === undefined ? 0 : failed(was))) / seconds,
    latency: timed === 0 ? null : (took / timed) * 1000,
    slow: timed === 0 ? null : quantile(buckets, after.bounds, 0.95) * 1000,
  };
}

// As if each bucket were filled evenly; the last bound for what is above it.
function quantile(buckets: readonly number[], bounds: readonly number[], q: number): number {
  let left = sum(buckets) * q;
  let low = 0;
  for (const [i, high] of bounds.entries()) {
    const n = buckets[i] ?? 0;
    if (n > 0 && left <= n) return low + ((high - low) * left) / n;
    left -= n;
    low = high;
  }
  return low;
}

function failed(traffic: TenantTraffic): number {
  return sum(traffic.codes.filter((code) => code.class === 5).map((code) => code.requests));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
