/** One piece of news of the fleet. */
export interface News {
  id: string;
  type: string;
  subject?: string;
  at: string;
  data?: unknown;
}

export type FeedState = "connecting" | "live" | "offline";

/** The events that the daemon names; EventSource hands out only those that are listened to. */
export const types = [
  "tenant.changed",
  "tenant.removed",
  "job.changed",
  "job.event",
  "image.changed",
  "route.changed",
  "snapshot.changed",
  "policy.changed",
  "member.changed",
  "domain.changed",
  "backup.changed",
  "backup.damaged",
  "drill.done",
  "drill.failed",
  "resync",
] as const;

const longestPause = 15_000;

/** Breaks that are shorter than this are nobody's concern. */
const patience = 3000;

/**
 * Listens to the daemon's news for as long as the page is open. After a break it goes on where
 * it was; where news was lost meanwhile it says resync.
 */
export class Feed {
  state: FeedState = "connecting";
  /** The latest news, newest first, without the steps of jobs. */
  latest: News[] = [];
  private source: EventSource | undefined;
  private pause = 500;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private doubt: ReturnType<typeof setTimeout> | undefined;
  private broken = false;
  private readonly listeners = new Set<(news: News) => void>();
  private readonly watchers = new Set<() => void>();

  constructor(private readonly address: string) {}

  start(): void {
    if (this.source !== undefined) return;
    const source = new EventSource(this.address);
    this.source = source;
    source.onopen = () => {
      this.pause = 500;
      clearTimeout(this.doubt);
      this.doubt = undefined;
      this.become("live");
      // A new EventSource does not know the last event's id: read everything anew.
      if (this.broken) this.tell({ id: "", type: "resync", at: new Date().toISOString() });
      this.broken = false;
    };
    source.onerror = () => {
      this.doubt ??= setTimeout(() => this.become("offline"), patience);
      if (source.readyState === EventSource.CLOSED) this.again();
    };
    for (const type of types) {
      source.addEventListener(type, (e) => this.tell(JSON.parse(e.data as string) as News));
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.doubt);
    this.doubt = undefined;
    this.source?.close();
    this.source = undefined;
    this.become("connecting");
  }

  listen(listener: (news: News) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  /** Calls watcher when state or latest has changed. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => {
      this.watchers.delete(watcher);
    };
  }

  // The browser gives up where the answer was no stream, as a proxy's error page is.
  private again(): void {
    this.source?.close();
    this.source = undefined;
    this.broken = true;
    this.timer = setTimeout(() => this.start(), this.pause);
    this.pause = Math.min(longestPause, this.pause * 2);
  }

  private tell(news: News): void {
    if (news.type !== "job.event" && news.type !== "resync") {
      this.latest = [news, ...this.latest].slice(0, 100);
      this.changed();
    }
    for (const listener of this.listeners) listener(news);
  }

  private become(state: FeedState): void {
    if (this.state === state) return;
    this.state = state;
    this.changed();
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher();
  }
}
