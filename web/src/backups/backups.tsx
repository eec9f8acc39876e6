import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";

import { api, ask, once } from "../api/client";
import type { Backup, Drill } from "../api/types";
import { useAct } from "../shell/act";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { bytes } from "../show/format";
import { Menu } from "../show/menu";
import { Nothing, sentence } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State, type Tone } from "../show/state";
import { Ago } from "../show/time";

const stateTones: Record<string, Tone> = { ready: "good", absent: "warn", locked: "bad", unreachable: "bad" };

/** The repository, all backups, and the drills that prove them. */
export function Backups() {
  const operator = useMay("operator");
  const backups = useQuery({
    queryKey: ["backups", "all"],
    queryFn: ({ signal }) => ask(api.GET("/v1/backups", { params: { query: { limit: 1000 } }, signal })),
  });
  const drills = useQuery({
    queryKey: ["drills"],
    queryFn: ({ signal }) => ask(api.GET("/v1/drills", { params: { query: { limit: 200 } }, signal })),
  });
  return (
    <Page title="Backups and drills" actions={operator && <Actions />}>
      <Repository />
      <Box title="Backups">
        <Query query={backups}>
          {({ items }) => <Rows label="Backups" tall={items.length > 30} rows={items} columns={backupColumns} id={(b) => b.id} empty={<Nothing title="No backups yet" />} />}
        </Query>
      </Box>
      <Box title="Drills">
        <p className="u-text--muted">A drill restores a backup into an instance that is thrown away, and looks whether it works.</p>
        <Query query={drills}>
          {({ items }) => <Rows label="Drills" tall={items.length > 30} rows={items} columns={drillColumns} id={(d) => d.id} empty={<Nothing title="No drills yet" />} />}
        </Query>
      </Box>
    </Page>
  );
}

function Actions() {
  const { busy, act } = useAct();
  const queries = useQueryClient();
  const header = once();
  const run = async (title: string, change: () => Promise<unknown>) => {
    await act(title, change);
    await queries.invalidateQueries({ queryKey: ["backups"] });
  };
  return (
    <>
      <button disabled={busy} onClick={() => void run("Run a drill", () => ask(api.POST("/v1/drills", { params: { header }, body: {} })))}>
        Run a drill
      </button>
      <Menu label="More">
        <button type="button" onClick={() => void run("Verify all backups", () => ask(api.POST("/v1/backups/verify", { params: { header }, body: {} })))}>
          Verify all
        </button>
        <button type="button" onClick={() => void run("Prune the repository", () => ask(api.POST("/v1/backups/prune", { params: { header } })))}>
          Free what is not needed
        </button>
        <button type="button" onClick={() => void run("Back up the control plane", () => ask(api.POST("/v1/backups/control", { params: { header } })))}>
          Back up the control plane
        </button>
      </Menu>
    </>
  );
}

function Repository() {
  const status = useQuery({ queryKey: ["backups", "status"], queryFn: ({ signal }) => ask(api.GET("/v1/backups/status", { signal })) });
  return (
    <Box title="Repository">
      <Query query={status}>
        {(data) => (
          <Facts
            facts={[
              ["State", <State key="s" tone={stateTones[data.state] ?? "idle"}>{data.state}</State>],
              ["Problem", data.problem !== undefined && `${sentence(data.problem)} ${data.hint === undefined ? "" : sentence(data.hint)}`],
              ["Place", <span key="p" className="mono">{data.location}</span>],
              ["Away from here", data.away ? "yes" : <State key="a" tone="warn">no: backups do not leave this machine</State>],
              ["Recovery key", data.key_recorded ? "a copy is kept elsewhere" : <State key="k" tone="warn">nobody has said that there is a copy elsewhere</State>],
              ["Backups", `${data.backups}, ${bytes(data.size)} in ${bytes(data.stored)}`],
              ["Damaged", data.damaged > 0 && <State key="d" tone="bad">{String(data.damaged)}</State>],
              ["Newest", <Ago key="n" at={data.last_backup} />],
              ["Control plane", <Ago key="c" at={data.last_control} />],
              ["Last drill", data.last_drill !== undefined && <DrillOutcome key="o" drill={data.last_drill} />],
            ]}
          />
        )}
      </Query>
    </Box>
  );
}

function DrillOutcome({ drill }: { drill: Drill }) {
  return <State tone={drill.passed ? "good" : "bad"}>{drill.passed ? "passed" : "failed"}</State>;
}

function tenantLink(name: string) {
  return <Link to={`/tenants/${name}/timeline`}>{name}</Link>;
}

const backupColumns: readonly Column<Backup>[] = [
  { key: "tenant", title: "Tenant", sort: (b) => b.tenant, show: (b) => tenantLink(b.tenant) },
  { key: "taken", title: "Taken", width: "10rem", sort: (b) => b.taken_at, show: (b) => <Ago at={b.taken_at} /> },
  { key: "size", title: "Size", width: "8rem", sort: (b) => b.size, show: (b) => bytes(b.size) },
  { key: "moved", title: "Moved", width: "8rem", minor: true, sort: (b) => b.moved, show: (b) => bytes(b.moved) },
  { key: "consistency", title: "Consistency", width: "9rem", minor: true, show: (b) => b.consistency },
  {
    key: "verified",
    title: "Verified",
    minor: true,
    show: (b) => (b.damage === undefined ? b.verified_at === undefined ? "never" : <Ago at={b.verified_at} /> : <State tone="bad">{b.damage}</State>),
  },
];

const drillColumns: readonly Column<Drill>[] = [
  { key: "tenant", title: "Tenant", sort: (d) => d.tenant, show: (d) => tenantLink(d.tenant) },
  { key: "outcome", title: "Outcome", width: "8rem", sort: (d) => String(d.passed), show: (d) => <DrillOutcome drill={d} /> },
  { key: "at", title: "When", width: "10rem", sort: (d) => d.at, show: (d) => <Ago at={d.at} /> },
  { key: "rto", title: "Back after", width: "8rem", minor: true, show: (d) => d.rto },
  { key: "rpo", title: "Would have lost", width: "9rem", minor: true, show: (d) => d.rpo },
  { key: "checks", title: "Looked at", minor: true, show: (d) => <span title={d.error ?? d.checks.join("\n")}>{d.error ?? d.checks.join(", ")}</span> },
];
