import { useSyncExternalStore } from "react";

import { ago, moment } from "./format";

// One clock for all times on a page: it ticks only while one is shown.
let now = new Date();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  now = new Date();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = new Date(); // the clock stood while no time was shown
    timer = setInterval(tick, 10_000);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** How long ago a moment was; the moment itself, in the viewer's zone, on hovering. */
export function Ago({ at }: { at: string | undefined }) {
  const present = useSyncExternalStore(subscribe, () => now);
  if (at === undefined) return <>–</>;
  const when = new Date(at);
  // The clock ticks every ten seconds: what is newer than its tick is not in the future.
  const ahead = when.getTime() - present.getTime();
  const from = ahead > 0 && ahead < 15_000 ? when : present;
  return (
    <time dateTime={at} title={moment(when)}>
      {ago(when, from)}
    </time>
  );
}

/** A moment in the viewer's zone. */
export function Moment({ at }: { at: string | undefined }) {
  if (at === undefined) return <>–</>;
  return <time dateTime={at}>{moment(new Date(at))}</time>;
}
