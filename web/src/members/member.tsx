import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useParams } from "react-router";

import { api, ask, once } from "../api/client";
import type { Member, Tenant } from "../api/types";
import { useTenants } from "../tenants/all";
import { columns } from "../tenants/columns";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Facts, Labels } from "../show/facts";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows } from "../show/rows";
import { State } from "../show/state";
import { Levels, memberTone, memberWord } from "./card";
import { Drain } from "./drain";
import { LimitFields } from "./limitfields";
import { limitsOf, unlimited } from "./limits";
import { MemberPlots } from "./plots";

/** One member: how full it is, who lives there, and how to empty it. */
export function MemberPage() {
  const { name = "" } = useParams();
  const member = useQuery({
    queryKey: ["members", name],
    queryFn: ({ signal }) => ask(api.GET("/v1/members/{name}", { params: { path: { name } }, signal })),
    refetchInterval: 10_000,
  });
  const [plan, setPlan] = useState(false);
  const operator = useMay("operator");
  return (
    <Page
      title={name}
      state={member.data && <State tone={memberTone(member.data)}>{memberWord(member.data)}</State>}
      actions={
        member.data && (
          <>
            {operator && <Cordon member={member.data} />}
            <button onClick={() => setPlan(!plan)}>{plan ? "Hide the plan" : "Plan a drain"}</button>
          </>
        )
      }
    >
      {plan && <Drain name={name} />}
      <Query query={member}>
        {(data) => (
          <div className="two">
            <Box title="Capacity">
              <Levels member={data} />
            </Box>
            <Box title="About it">
              <Facts
                facts={[
                  ["LXD says", data.message],
                  ["Address", data.address],
                  ["Failure domain", data.failure_domain],
                  ["Groups", data.groups?.join(", ")],
                  ["Roles", data.roles?.join(", ")],
                  ["Labels", Object.keys(data.labels).length > 0 && <Labels key="l" labels={data.labels} />],
                  ["Cordoned", data.cordoned ? (data.reason ?? "yes") : undefined],
                ]}
              />
            </Box>
          </div>
        )}
      </Query>
      <MemberPlots name={name} />
      <Residents name={name} />
    </Page>
  );
}

function Residents({ name }: { name: string }) {
  const tenants = useTenants();
  const shown = columns.filter((column) => ["name", "status", "customer", "plan", "image"].includes(column.key));
  return (
    <Box title="Tenants">
      <Query query={tenants}>
        {(all: readonly Tenant[]) => {
          const here = all.filter((tenant) => tenant.location === name);
          return <Rows label={`Tenants on ${name}`} tall={here.length > 50} rows={here} columns={shown} id={(t) => t.name} empty={<Nothing title="No tenant lives here" />} />;
        }}
      </Query>
    </Box>
  );
}

function Cordon({ member }: { member: Member }) {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState("");
  const set = async (cordoned: boolean) => {
    const params = { path: { name: member.name } };
    const body = cordoned && reason !== "" ? { cordoned, reason } : { cordoned };
    const taken = await act(`${cordoned ? "Cordon" : "Uncordon"} ${member.name}`, () => ask(api.PATCH("/v1/members/{name}", { params, body })));
    await queries.invalidateQueries({ queryKey: ["members"] });
    return taken;
  };
  if (member.cordoned) {
    return (
      <>
        <button disabled={busy} onClick={() => void set(false)}>
          Uncordon
        </button>
        <button disabled={busy} onClick={() => setAsking(true)}>
          Bring back what was drained
        </button>
        {asking && <BringBack name={member.name} onClose={() => setAsking(false)} />}
      </>
    );
  }
  return (
    <>
      <button onClick={() => setAsking(true)}>Cordon</button>
      {asking && (
        <Confirm title={`Cordon ${member.name}?`} verb="Cordon" onClose={() => setAsking(false)} onConfirm={() => set(true)}>
          <p>No tenant is placed on it or moved to it until it is uncordoned. Those that live there stay.</p>
          <input type="text" aria-label="Reason" placeholder="Reason" value={reason} onChange={(e) => setReason(e.target.value)} />
        </Confirm>
      )}
    </>
  );
}

function BringBack({ name, onClose }: { name: string; onClose: () => void }) {
  const { act } = useAct();
  const [limits, setLimits] = useState(unlimited);
  const restore = () =>
    act(`Bring back to ${name}`, () => ask(api.POST("/v1/members/{name}/restore", { params: { path: { name }, header: once() }, body: limitsOf(limits) })));
  return (
    <Confirm title={`Bring back to ${name} what was drained?`} verb="Bring back" lxc={[`cluster restore ${name}`]} onClose={onClose} onConfirm={restore}>
      <p>It is uncordoned, and those tenants that its last drain moved away come back, where they were not moved since and still fit.</p>
      <LimitFields draft={limits} set={setLimits} />
    </Confirm>
  );
}
