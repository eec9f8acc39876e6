const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** Bytes as people read them, in LXD's binary units. */
export function bytes(n: number): string {
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  const digits = unit === 0 || n >= 100 ? 0 : n >= 10 ? 1 : 2;
  return `${n.toFixed(digits)} ${units[unit] ?? ""}`;
}

/** Percent without needless digits. */
export function percent(n: number): string {
  return `${n > 0 && n < 10 ? n.toFixed(1) : n.toFixed(0)} %`;
}

const steps: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];
const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** How long before or after now a moment is, such as "3 hours ago". */
export function ago(at: Date, now: Date): string {
  const seconds = (at.getTime() - now.getTime()) / 1000;
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return words.format(Math.trunc(seconds / length), unit);
  }
  return Math.abs(seconds) < 10 ? "just now" : words.format(Math.trunc(seconds), "second");
}

/** A moment in the viewer's zone, with the zone. */
export function moment(at: Date): string {
  return at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

/** One or many of something. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** Begins large. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const lengths = { h: 3600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, us: 1e-6, ns: 1e-9 } as const;

function secondsOf(text: string): number {
  let seconds = 0;
  for (const [, n = "", unit = ""] of text.matchAll(/([\d.]+)(h|ms|µs|us|ns|m|s)/g)) seconds += Number(n) * lengths[unit as keyof typeof lengths];
  return seconds;
}

/** Seconds that were measured, such as "1.4 s" or "3 min 2 s". */
export function lasting(seconds: number): string {
  if (seconds < 59.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** A duration of the daemon's that was measured, likewise. */
export function brief(text: string): string {
  return lasting(secondsOf(text));
}

/** A duration of the daemon's, such as 1m3.500001525s, as people say it. */
export function span(text: string): string {
  const seconds = secondsOf(text);
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${seconds < 10 ? Number(seconds.toFixed(1)) : seconds.toFixed(0)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
