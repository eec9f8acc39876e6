import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Finding, Plan, Policy } from "../api/types";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { Nothing, sentence } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State, type Tone } from "../show/state";
import { Ago } from "../show/time";
import { Configuration } from "./configuration";
import { PolicyForm } from "./policy";
import { doctorQuery, serverQuery } from "./query";

const tones: Record<Finding["state"], Tone> = { ok: "good", warn: "warn", fail: "bad" };

/** The daemon, what it finds of itself, plans and policies. */
export function Settings() {
  const server = useQuery(serverQuery);
  const doctor = useQuery(doctorQuery);
  const plans = useQuery({ queryKey: ["plans"], queryFn: () => ask(api.GET("/v1/plans")) });
  const policies = useQuery({ queryKey: ["policies"], queryFn: () => ask(api.GET("/v1/policies")) });
  const operator = useMay("operator");
  const [editing, setEditing] = useState<Policy | "new">();
  const change: Column<Policy> = {
    key: "change",
    title: "",
    width: "7rem",
    show: (p) => (
      <button className="p-button is-small is-inline" aria-label={`Change ${p.name}`} onClick={() => setEditing(p)}>
        Change
      </button>
    ),
  };
  return (
    <Page title="Settings">
      <div className="two">
        <Box title="Daemon">
          <Query query={server}>
            {(data) => (
              <Facts
                facts={[
                  ["lxdfleet", data.version],
                  ["Running since", <Ago key="s" at={data.started_at} />],
                  ["LXD", data.lxd === undefined ? data.lxd_error : `${data.lxd.version}${data.lxd.clustered ? ", a cluster" : ""}`],
                  ["LXD project", data.project],
                  ["Answered by", data.lxd?.member],
                  ["Kernel", data.lxd?.kernel],
                ]}
              />
            )}
          </Query>
        </Box>
        <Box title="Doctor">
          <Query query={doctor}>
            {({ items }) => (
              <ul className="line">
                {items.map((finding) => (
                  <li key={finding.check}>
                    <State tone={tones[finding.state]}>{""}</State>
                    <div>
                      <strong>{finding.check}</strong> {finding.message}
                      {finding.hint !== undefined && <p>{sentence(finding.hint)}</p>}
                    </div>
                  </li>
                ))}
              </ul>
            )}
          </Query>
        </Box>
      </div>
      <Box title="Plans">
        <Query query={plans}>{({ items }) => <Rows label="Plans" rows={items} columns={planColumns} id={(p) => p.name} empty={<Nothing title="No plans" />} />}</Query>
      </Box>
      <Box title="Policies">
        {operator && editing === undefined && (
          <div className="tools">
            <button onClick={() => setEditing("new")}>Make a policy</button>
          </div>
        )}
        {editing !== undefined && <PolicyForm key={editing === "new" ? "" : editing.name} policy={editing === "new" ? undefined : editing} onClose={() => setEditing(undefined)} />}
        <Query query={policies}>
          {({ items }) => (
            <Rows
              label="Policies"
              rows={items}
              columns={operator ? [...policyColumns, change] : policyColumns}
              id={(p) => p.name}
              empty={
                <Nothing title="No policies">
                  <p>A policy says when tenants are snapshotted and backed up, and how long that is kept.</p>
                </Nothing>
              }
            />
          )}
        </Query>
      </Box>
      {operator && <Configuration />}
    </Page>
  );
}

const planColumns: readonly Column<Plan>[] = [
  { key: "name", title: "Name", show: (p) => `${p.name}${p.default ? " (default)" : ""}` },
  { key: "cpu", title: "CPUs", show: (p) => p.cpu },
  { key: "memory", title: "Memory", show: (p) => p.memory },
  { key: "disk", title: "Disk", show: (p) => p.disk },
  { key: "processes", title: "Processes", minor: true, show: (p) => p.processes },
];

const policyColumns: readonly Column<Policy>[] = [
  { key: "name", title: "Name", show: (p) => p.name },
  { key: "snapshots", title: "Snapshots", show: (p) => <span className="mono">{p.snapshots?.cron}</span> },
  { key: "backups", title: "Backups", show: (p) => <span className="mono">{p.backups?.cron}</span> },
  { key: "drills", title: "Drills", show: (p) => <span className="mono">{p.drills?.cron}</span> },
  { key: "zone", title: "Time zone", minor: true, show: (p) => p.time_zone },
  { key: "description", title: "Description", minor: true, show: (p) => p.description },
];
