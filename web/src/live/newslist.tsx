import { Subject } from "../jobs/subject";
import { Ago } from "../show/time";
import type { News } from "./feed";
import { words } from "./words";

/** News as it came, newest first. */
export function NewsList({ news }: { news: readonly News[] }) {
  if (news.length === 0) return <p className="u-text--muted">Nothing has happened since this page was opened.</p>;
  return (
    <ul className="news" tabIndex={0} aria-label="Latest events">
      {news.map((one) => (
        <li key={one.id}>
          <span>{words(one)}</span> <Subject subject={one.subject} /> <Ago at={one.at} />
        </li>
      ))}
    </ul>
  );
}
