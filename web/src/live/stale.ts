import type { News } from "./feed";

/** The first words of the keys of queries that news makes out of date. */
export function stale(news: News): readonly (readonly string[])[] {
  const [kind, ...rest] = (news.subject ?? "").split("/");
  const name = rest.join("/");
  switch (news.type) {
    case "resync":
      return [[]]; // everything
    case "tenant.changed":
    case "tenant.removed":
      return [["tenant", name], ["members"], ["domains"], ["traffic", name]];
    case "snapshot.changed":
      return [["tenant", name]];
    case "job.changed":
      return [["jobs"], ["job", name]];
    case "job.event":
      return []; // those who show a job follow its own stream
    case "image.changed":
      return [["images"]];
    case "policy.changed":
      return [["policies"]];
    case "member.changed":
      return [["members"]];
    case "domain.changed":
      return [["domains"], ["tenant"]];
    case "backup.changed":
    case "backup.damaged":
      return kind === "tenant" ? [["backups"], ["tenant", name]] : [["backups"]];
    case "drill.done":
    case "drill.failed":
      return [["drills"], ["backups"]];
    default:
      return [];
  }
}

/** The tenant whose row in the list of all is out of date; undefined where there is none. */
export function staleTenant(news: News): string | undefined {
  if (news.type !== "tenant.changed" && news.type !== "tenant.removed") return undefined;
  return news.subject?.startsWith("tenant/") === true ? news.subject.slice("tenant/".length) : undefined;
}
