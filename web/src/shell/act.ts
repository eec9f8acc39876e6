import { useState } from "react";

import type { Job } from "../api/types";
import { useNotices } from "./notices";

/**
 * Runs what changes something and tells what became of it: a job is followed. It gives whether
 * it was taken on.
 */
export function useAct(): { busy: boolean; act: (title: string, change: () => Promise<unknown>) => Promise<boolean> } {
  const notices = useNotices();
  const [busy, setBusy] = useState(false);
  const act = async (title: string, change: () => Promise<unknown>) => {
    setBusy(true);
    try {
      const outcome = await change();
      if (isJob(outcome)) notices.follow(title, outcome);
      else notices.done(title);
      return true;
    } catch (thrown) {
      notices.failed(title, thrown);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, act };
}

function isJob(outcome: unknown): outcome is Job {
  return typeof outcome === "object" && outcome !== null && "kind" in outcome && "finished" in outcome;
}
