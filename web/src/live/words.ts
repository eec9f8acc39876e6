import type { News } from "./feed";

/** News in a few words, without what it is about. */
export function words(news: News): string {
  const state = news.type === "job.changed" ? messageOf(news.data) : "";
  const [kind = "", what = ""] = news.type.split(".");
  return state === "" ? `${kind} ${what}` : `job ${state}`;
}

function messageOf(data: unknown): string {
  if (typeof data !== "object" || data === null || !("message" in data)) return "";
  return typeof data.message === "string" ? data.message : "";
}

/** The news that is of a tenant: its own, and that of its jobs. */
export function newsOf(latest: readonly News[], tenant: string, jobs: ReadonlySet<string>): News[] {
  return latest.filter(({ subject = "" }) => subject === `tenant/${tenant}` || (subject.startsWith("job/") && jobs.has(subject.slice("job/".length))));
}
