import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useMemo, useSyncExternalStore, type ReactNode } from "react";

import { refreshRows } from "../tenants/all";
import { Feed, type FeedState, type News } from "./feed";
import { stale, staleTenant } from "./stale";

const FeedContext = createContext<Feed | undefined>(undefined);

/** Keeps what is shown below it up to date by the daemon's news. */
export function Live({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const feed = useMemo(() => new Feed("/v1/events"), []);
  useEffect(() => {
    const stop = feed.listen(gather(queries));
    feed.start();
    return () => {
      stop();
      feed.stop();
    };
  }, [feed, queries]);
  return <FeedContext value={feed}>{children}</FeedContext>;
}

// A drain or a restart is hundreds of events: what they make stale is asked for once per moment.
function gather(queries: QueryClient): (news: News) => void {
  let keys = new Map<string, readonly string[]>();
  let rows = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    for (const key of keys.values()) void queries.invalidateQueries({ queryKey: key });
    if (!keys.has("")) refreshRows(queries, rows).catch(() => queries.invalidateQueries({ queryKey: ["tenants"] }));
    keys = new Map();
    rows = new Set();
  };
  return (news) => {
    for (const key of stale(news)) keys.set(key.join("/"), key);
    const row = staleTenant(news);
    if (row !== undefined) rows.add(row);
    timer ??= setTimeout(flush, 200);
  };
}

function useFeed(): Feed {
  const feed = useContext(FeedContext);
  if (feed === undefined) throw new Error("useFeed is for what is below Live");
  return feed;
}

/** Whether news arrives. */
export function useFeedState(): FeedState {
  const feed = useFeed();
  return useSyncExternalStore((changed) => feed.watch(changed), () => feed.state);
}

/** The latest news, newest first. */
export function useLatest(): readonly News[] {
  const feed = useFeed();
  return useSyncExternalStore((changed) => feed.watch(changed), () => feed.latest);
}
