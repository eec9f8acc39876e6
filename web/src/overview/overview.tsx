import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import type { Member, Tenant } from "../api/types";
import { jobsQuery } from "../jobs/query";
import { useLatest } from "../live/live";
import { NewsList } from "../live/newslist";
import { MemberCard } from "../members/card";
import { membersQuery } from "../members/query";
import { doctorQuery } from "../settings/query";
import { Page } from "../shell/page";
import { useTenants } from "../tenants/all";
import { Box } from "../show/box";
import { Loading, sentence } from "../show/nothing";
import { Query } from "../show/query";
import { State } from "../show/state";
import { concerns } from "./attention";
import { Squares } from "./squares";

/** The fleet at a glance. */
export function Overview() {
  const members = useQuery(membersQuery);
  const tenants = useTenants();
  const unfinished = useQuery(jobsQuery({ unfinished: true }));
  const doctor = useQuery(doctorQuery);
  const all = tenants.data ?? [];
  const jobs = unfinished.data?.items ?? [];
  const stuck = jobs.filter((job) => job.state === "stuck");
  return (
    <Page title="Overview">
      <div className="numbers">
        <Number to="/tenants" value={tenants.data?.length} name="tenants" />
        <Number to="/tenants?status=running" value={tenants.data?.filter((t) => t.status === "running").length} name="running" />
        <Number to="/tenants?status=unhealthy" value={tenants.data?.filter((t) => t.status === "unhealthy").length} name="unhealthy" />
        <Number to="/members" value={members.data?.items.filter((m) => m.online).length} name="members online" />
        <Number to="/jobs" value={unfinished.data === undefined ? undefined : jobs.length - stuck.length} name="jobs under way" />
      </div>
      <div className="two">
        <Attention
          concerns={concerns({ members: members.data?.items ?? [], tenants: all, stuck, findings: doctor.data?.items ?? [] })}
          known={members.data !== undefined && tenants.data !== undefined && doctor.data !== undefined}
        />
        <Events />
      </div>
      <Query query={members}>{({ items }) => <Fleet members={items} tenants={all} />}</Query>
    </Page>
  );
}

function Number({ to, value, name }: { to: string; value: number | undefined; name: string }) {
  return (
    <Link to={to}>
      <strong>{value?.toLocaleString("en") ?? "–"}</strong>
      {name}
    </Link>
  );
}

const most = 12;

function Attention({ concerns, known }: { concerns: ReturnType<typeof import("./attention").concerns>; known: boolean }) {
  return (
    <Box title="Needs attention">
      {concerns.length === 0 && (known ? <State tone="good">Nothing. All is well.</State> : <Loading />)}
      <ul className="line">
        {concerns.slice(0, most).map((concern) => (
          <li key={concern.key}>
            <State tone={concern.bad ? "bad" : "warn"}>{""}</State>
            <div>
              <Link to={concern.to}>{concern.title}</Link> {sentence(concern.text)}
            </div>
          </li>
        ))}
      </ul>
      {concerns.length > most && <p>And {concerns.length - most} more.</p>}
    </Box>
  );
}

function Fleet({ members, tenants }: { members: readonly Member[]; tenants: readonly Tenant[] }) {
  const homes = new Map<string, Tenant[]>();
  for (const tenant of tenants) {
    const home = tenant.location ?? "";
    const there = homes.get(home);
    if (there === undefined) homes.set(home, [tenant]);
    else there.push(tenant);
  }
  return (
    <div className="cards">
      {members.map((member) => (
        <MemberCard key={member.name} member={member}>
          <Squares label={`Tenants on ${member.name}`} tenants={homes.get(member.name) ?? []} />
        </MemberCard>
      ))}
    </div>
  );
}

function Events() {
  return (
    <Box title="As it happens">
      <NewsList news={useLatest()} />
    </Box>
  );
}
