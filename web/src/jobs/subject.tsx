import { Link } from "react-router";

const places: Record<string, string> = { tenant: "/tenants", image: "/images", member: "/members", job: "/jobs" };

/** What a job or an event is about, as a link where there is a page for it. */
export function Subject({ subject }: { subject: string | undefined }) {
  if (subject === undefined) return null;
  const [kind = "", name = ""] = subject.split("/", 2);
  const place = places[kind];
  if (place === undefined || name === "") return <>{subject}</>;
  return <Link to={kind === "image" ? place : `${place}/${name}`}>{kind === "tenant" ? name : subject}</Link>;
}
