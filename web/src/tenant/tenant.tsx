import { useQuery } from "@tanstack/react-query";
import { NavLink, Outlet, useOutletContext, useParams } from "react-router";

import { Problem } from "../api/problem";
import type { Tenant } from "../api/types";
import { JobState, TenantState } from "../show/state";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { Nothing, sentence } from "../show/nothing";
import { Query } from "../show/query";
import { Ago } from "../show/time";
import { Actions } from "./actions";
import { tenantQuery } from "./query";
import { jobQuery, jobsQuery } from "../jobs/query";
import { Link } from "react-router";

const tabs = [
  { to: "", name: "Summary", operator: false },
  { to: "domains", name: "Domains", operator: false },
  { to: "timeline", name: "Snapshots and backups", operator: false },
  { to: "usage", name: "Usage", operator: false },
  { to: "jobs", name: "Jobs and events", operator: false },
  { to: "logs", name: "Logs", operator: false },
  { to: "terminal", name: "Terminal", operator: true },
  { to: "settings", name: "Settings", operator: true },
];

/** One tenant: its head and its tabs. */
export function TenantPage() {
  const { name = "" } = useParams();
  const tenant = useQuery(tenantQuery(name));
  const operator = useMay("operator");
  if (tenant.error instanceof Problem && tenant.error.status === 404) {
    return (
      <Page title={name}>
        <Nothing title={`There is no tenant ${name}`}>
          <Link to="/tenants">All tenants</Link>
        </Nothing>
      </Page>
    );
  }
  return (
    <Page title={name} state={tenant.data && <TenantState tenant={tenant.data} />} actions={tenant.data && <Actions tenant={tenant.data} />}>
      <Query query={tenant}>
        {(data) => (
          <>
            <Trouble tenant={data} />
            <nav className="p-tabs" aria-label={`Pages of ${name}`}>
              <ul className="p-tabs__list">
                {tabs
                  .filter((tab) => operator || !tab.operator)
                  .map((tab) => (
                    <li className="p-tabs__item" key={tab.to}>
                      <Tab to={tab.to === "" ? `/tenants/${name}` : `/tenants/${name}/${tab.to}`} name={tab.name} />
                    </li>
                  ))}
              </ul>
            </nav>
            <Outlet context={data} />
          </>
        )}
      </Query>
    </Page>
  );
}

// Vanilla marks the open tab by aria-selected, which a link that is no tab may not have.
function Tab({ to, name }: { to: string; name: string }) {
  return (
    <NavLink className={({ isActive }) => `p-tabs__link ${isActive ? "is-open" : ""}`} to={to} end>
      {name}
    </NavLink>
  );
}

/** The tenant whose tab this is. */
export function useTenant(): Tenant {
  return useOutletContext();
}

function Trouble({ tenant }: { tenant: Tenant }) {
  const viewer = useMay("viewer");
  return (
    <>
      {tenant.problem !== undefined && <Note tone="negative" title="An operator has to put something right" text={sentence(tenant.problem)} />}
      {tenant.maintenance !== undefined && <Note tone="caution" title="Closed to visitors" text={tenant.maintenance.message ?? "They see the maintenance page."} />}
      {(tenant.holds?.length ?? 0) > 0 && <Note tone="caution" title="Requests wait" text={tenant.holds?.map((hold) => hold.reason).join(", ") ?? ""} />}
      {tenant.job !== undefined && <Working id={tenant.job} />}
      {viewer && <Planned name={tenant.name} />}
    </>
  );
}

// A move that waits for its time.
function Planned({ name }: { name: string }) {
  const { data } = useQuery(jobsQuery({ subject: `planned/${name}`, unfinished: true }));
  const job = data?.items.find((item) => item.state === "queued");
  if (job === undefined) return null;
  return (
    <p>
      <Link to={`/jobs/${job.id}`}>A move is planned</Link>
      {job.not_before !== undefined && (
        <>
          {" "}
          <Ago at={job.not_before} />
        </>
      )}
      <span className="u-text--muted"> It can be cancelled until then.</span>
    </p>
  );
}

function Note({ tone, title, text }: { tone: "negative" | "caution"; title: string; text: string }) {
  return (
    <div className={`p-notification--${tone}`}>
      <div className="p-notification__content">
        <h2 className="p-notification__title">{title}</h2>
        <p className="p-notification__message">{text}</p>
      </div>
    </div>
  );
}

function Working({ id }: { id: string }) {
  const { data } = useQuery(jobQuery(id));
  if (data === undefined) return null;
  const last = data.events.findLast((event) => event.step !== undefined);
  return (
    <p>
      <Link to={`/jobs/${id}`}>{data.job.kind}</Link> <JobState state={data.job.state} />
      {last?.step !== undefined && !data.job.finished && <span className="u-text--muted"> at {last.step}</span>}
    </p>
  );
}
