import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { jobsQuery } from "../jobs/query";
import { JobList } from "../jobs/list";
import { safe } from "../show/address";
import { Box } from "../show/box";
import { Facts, Labels } from "../show/facts";
import { Lxc } from "../show/lxc";
import { Query } from "../show/query";
import { Ago, Moment } from "../show/time";
import { ago } from "../show/format";
import { backupsQuery, scheduleQuery, snapshotsQuery } from "./query";
import { useTenant } from "./tenant";

/** What is most asked about a tenant. */
export function Summary() {
  const tenant = useTenant();
  const url = tenant.url === undefined ? undefined : safe(tenant.url);
  return (
    <>
      <div className="two">
        <Box title="About it">
          <Facts
            facts={[
              ["Customer", tenant.display_name],
              ["Contact", tenant.contact],
              ["Address", url !== undefined && <a key="u" href={url} target="_blank" rel="noreferrer">{url}</a>],
              ["Image", tenant.image],
              ["Plan", tenant.plan],
              ["Policy", tenant.policy ?? "none"],
              ["Window", tenant.window],
              ["Labels", Object.keys(tenant.labels).length > 0 && <Labels key="l" labels={tenant.labels} />],
              ["Created", <Moment key="c" at={tenant.created_at} />],
              ["Deleted for good", tenant.purge_at !== undefined && <Moment key="p" at={tenant.purge_at} />],
            ]}
          />
        </Box>
        <Box title="Now">
          <Facts
            facts={[
              ["Wanted", tenant.desired],
              ["Seen", tenant.status],
              ["Health", health(tenant.healthy)],
              ["Check", `${tenant.health.path} on port ${tenant.health.port}`],
              ["Member", tenant.location !== undefined && <Link key="m" to={`/members/${tenant.location}`}>{tenant.location}</Link>],
              ["Moved there", tenant.moved_at !== undefined && <Ago key="v" at={tenant.moved_at} />],
              ["IP address", tenant.address !== undefined && <span key="a" className="mono">{tenant.address}</span>],
              ["Last seen", <Ago key="o" at={tenant.observed_at} />],
            ]}
          />
          <Lxc commands={[`info ${tenant.name}`, `exec ${tenant.name} -- bash`, `config show ${tenant.name} --expanded`, `restart ${tenant.name}`, `snapshot ${tenant.name}`, `stop ${tenant.name}`]} />
        </Box>
        <Kept name={tenant.name} />
      </div>
      <Recent name={tenant.name} />
    </>
  );
}

function health(healthy: boolean | undefined): string {
  if (healthy === undefined) return "not checked yet";
  return healthy ? "good" : "bad";
}

function Kept({ name }: { name: string }) {
  const snapshots = useQuery(snapshotsQuery(name));
  const backups = useQuery(backupsQuery(name));
  const schedule = useQuery(scheduleQuery(name));
  const next = (what: string) => {
    const at = schedule.data?.runs.find((run) => run.what === what)?.next[0];
    return at === undefined ? undefined : ago(new Date(at), new Date());
  };
  const last = snapshots.data?.items.at(-1);
  const newest = backups.data?.items[0];
  return (
    <Box title="Snapshots and backups">
      <Facts
        facts={[
          ["Snapshots", snapshots.data?.items.length],
          ["Newest", last !== undefined && <Ago key="n" at={last.created_at} />],
          ["Next", next("snapshots")],
          ["Backups", backups.data?.items.length],
          ["Newest backup", newest !== undefined && <Ago key="b" at={newest.taken_at} />],
          ["Next backup", next("backups")],
        ]}
      />
      <Link to={`/tenants/${name}/timeline`}>Timeline</Link>
    </Box>
  );
}

function Recent({ name }: { name: string }) {
  const jobs = useQuery(jobsQuery({ subject: `tenant/${name}`, limit: 5 }));
  return <Box title="Latest jobs">{<Query query={jobs}>{(data) => <JobList same jobs={data.items} />}</Query>}</Box>;
}
