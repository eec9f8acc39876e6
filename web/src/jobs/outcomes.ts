import type { Job } from "../api/types";
import type { Tone } from "../show/state";

export type Outcome = NonNullable<Job["outcomes"]>[number];

const ofMany: ReadonlySet<string> = new Set(["tenant.bulk", "member.drain", "member.restore", "fleet.rebalance", "tenant.move-later"]);

/** Whether a job works on many tenants, each by a job of its own. */
export function isOfMany({ kind }: Pick<Job, "kind">): boolean {
  return ofMany.has(kind);
}

interface Said {
  word: string;
  tone: Tone;
  /** Of a sorted list: what somebody has to look at comes first. */
  rank: number;
  /** What there is to say beside the word. */
  more?: string;
}

/** What came of one tenant of a job, in words; finished: the job begins nothing more. */
export function said(outcome: Outcome, finished: boolean): Said {
  switch (outcome.state) {
    case "failed":
      return { word: "failed", tone: "bad", rank: 0, ...(outcome.why === undefined ? {} : { more: outcome.why }) };
    case "under_way":
      return { word: "under way", tone: "busy", rank: 1 };
    case "not_begun":
      return finished ? { word: "skipped", tone: "warn", rank: 2, more: "the job ended before it was begun" } : { word: "waiting", tone: "idle", rank: 3 };
    case "planned":
      return { word: "planned", tone: "idle", rank: 4 };
    case "gone":
      return { word: "skipped", tone: "warn", rank: 2, more: "it was deleted meanwhile" };
    case "done":
      return { word: "done", tone: "good", rank: 5 };
  }
}

/** How many there are of each, what somebody has to look at first: "1 failed, 3 waiting, 12 done". */
export function summary(outcomes: readonly Outcome[], finished: boolean): string {
  const counts = new Map<string, { rank: number; n: number }>();
  for (const outcome of outcomes) {
    const { word, rank } = said(outcome, finished);
    counts.set(word, { rank, n: (counts.get(word)?.n ?? 0) + 1 });
  }
  const ranked = [...counts].sort(([, a], [, b]) => a.rank - b.rank);
  return ranked.map(([word, { n }]) => `${n.toLocaleString("en")} ${word}`).join(", ");
}
