import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { api, ask, once } from "../api/client";
import type { Cluster } from "../api/types";
import { Confirm } from "../shell/confirm";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Facts } from "../show/facts";
import { bytes } from "../show/format";
import { Nothing, sentence } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State } from "../show/state";
import { Ago } from "../show/time";
import { Add } from "./add";
import { useChange } from "./change";
import { clustersQuery } from "./query";

/** Other LXD clusters and servers, between which tenants can move. */
export function Clusters() {
  const clusters = useQuery(clustersQuery);
  const admin = useMay("admin");
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title="Clusters"
      actions={
        admin && (
          <button className="p-button--positive" onClick={() => setAdding(true)}>
            Add cluster
          </button>
        )
      }
    >
      {adding && <Add onClose={() => setAdding(false)} />}
      <Query query={clusters}>
        {({ items }) =>
          items.length === 0 ? (
            <Nothing title="No other cluster">
              <p>lxdfleet runs on one cluster. It can know others, and stand-alone servers, and move tenants there and back.</p>
            </Nothing>
          ) : (
            items.map((cluster) => <One key={cluster.name} cluster={cluster} admin={admin} />)
          )
        }
      </Query>
    </Page>
  );
}

type Member = Cluster["members"][number];

function One({ cluster, admin }: { cluster: Cluster; admin: boolean }) {
  const { busy, change } = useChange();
  const [going, setGoing] = useState(false);
  const path = { cluster: cluster.name };
  const rotate = () => change(`Exchange the certificate for ${cluster.name}`, () => ask(api.POST("/v1/clusters/{cluster}/rotate", { params: { path, header: once() } })));
  return (
    <Box title={cluster.name}>
      <Facts
        facts={[
          ["State", <State key="s" tone={cluster.usable ? "good" : "bad"}>{cluster.usable ? "well" : "away"}</State>],
          ["Problem", cluster.problem !== undefined && sentence(cluster.problem)],
          ["Address", <span key="u" className="mono">{cluster.url}</span>],
          ["LXD", cluster.version],
          ["Project", cluster.project],
          ["Pool", cluster.pool],
          ["Network", cluster.network],
          ["Its fingerprint", <span key="f" className="mono">{cluster.fingerprint}</span>],
          ["Added", <Ago key="a" at={cluster.added_at} />],
          ["Our certificate", <Ago key="k" at={cluster.key_at} />],
        ]}
      />
      {cluster.members.length > 0 && <Rows label={`Members of ${cluster.name}`} rows={cluster.members} columns={columns(cluster.name)} id={(m) => m.name} empty={<Nothing title="No members" />} />}
      {admin && (
        <div className="tools">
          <button disabled={busy} onClick={() => void rotate()}>
            Exchange our certificate
          </button>
          <button disabled={busy} onClick={() => setGoing(true)}>
            Remove
          </button>
        </div>
      )}
      {going && <Remove cluster={cluster} onClose={() => setGoing(false)} />}
    </Box>
  );
}

function columns(cluster: string): readonly Column<Member>[] {
  return [
    { key: "name", title: "Member", sort: (m) => m.name, show: (m) => <Link to={`/members/${cluster}:${m.name}`}>{m.name}</Link> },
    { key: "state", title: "State", width: "8rem", show: (m) => <State tone={m.online ? "good" : "bad"}>{m.online ? "online" : "offline"}</State> },
    { key: "cpus", title: "CPUs", width: "5rem", minor: true, sort: (m) => m.cpus, show: (m) => m.cpus },
    { key: "memory", title: "Memory", minor: true, show: (m) => share(m.memory_used, m.memory_total) },
    { key: "pool", title: "Pool", minor: true, show: (m) => share(m.pool_used, m.pool_total) },
    { key: "message", title: "LXD says", minor: true, show: (m) => <span title={m.message}>{m.message}</span> },
  ];
}

function share(used: number, total: number): string {
  return total === 0 ? "not known" : `${bytes(used)} of ${bytes(total)}`;
}

function Remove({ cluster, onClose }: { cluster: Cluster; onClose: () => void }) {
  const { change } = useChange();
  const [force, setForce] = useState(false);
  const remove = () =>
    change(`Remove the cluster ${cluster.name}`, () => ask(api.DELETE("/v1/clusters/{cluster}", { params: { path: { cluster: cluster.name }, query: { force } } })));
  return (
    <Confirm title={`Remove ${cluster.name}?`} verb="Remove" type={cluster.name} onClose={onClose} onConfirm={remove}>
      <p>It trusts lxdfleet no more then. That is refused while a tenant, or anything else of lxdfleet’s, is there.</p>
      {!cluster.usable && (
        <label className="tick">
          <input type="checkbox" checked={force} onChange={(e) => setForce(e.target.checked)} />
          Forget it although it is away: it goes on trusting, and what is there is forgotten
        </label>
      )}
    </Confirm>
  );
}
