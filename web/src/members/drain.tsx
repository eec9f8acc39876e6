import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask, once } from "../api/client";
import type { MovePlan } from "../api/types";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { useMay } from "../shell/session";
import { Box } from "../show/box";
import { Query } from "../show/query";
import { Cost } from "./cost";
import { LimitFields } from "./limitfields";
import { limitsOf, unlimited } from "./limits";
import { Moves } from "./moves";

/** What would move to empty a member, and doing it. */
export function Drain({ name }: { name: string }) {
  const operator = useMay("operator");
  const [asking, setAsking] = useState(false);
  const plan = useQuery({
    queryKey: ["members", name, "drain"],
    queryFn: ({ signal }) => ask(api.GET("/v1/members/{name}/drain", { params: { path: { name } }, signal })),
  });
  return (
    <Box title={`What would move to empty ${name}`}>
      <Query query={plan}>{(data) => <Moves plan={data} nothing="Nothing has to move: it is empty." />}</Query>
      {operator && (plan.data?.moves.length ?? 0) > 0 && (
        <button className="p-button--positive" onClick={() => setAsking(true)}>
          Drain {name}
        </button>
      )}
      {asking && plan.data !== undefined && <Sure name={name} plan={plan.data} onClose={() => setAsking(false)} />}
    </Box>
  );
}

function Sure({ name, plan, onClose }: { name: string; plan: MovePlan; onClose: () => void }) {
  const { act } = useAct();
  const [limits, setLimits] = useState(unlimited);
  const drain = () => {
    const body = { ...limitsOf(limits), partial: plan.left.length > 0 };
    return act(`Drain ${name}`, () => ask(api.POST("/v1/members/{name}/drain", { params: { path: { name }, header: once() }, body })));
  };
  return (
    <Confirm
      title={`Drain ${name}?`}
      verb="Drain"
      type={name}
      lxc={[`cluster evacuate ${name} --action migrate`, "That stops each instance for as long as its copy takes."]}
      onClose={onClose}
      onConfirm={drain}
    >
      <p>It is cordoned, and its tenants move away. No request fails; each tenant’s wait for some seconds.</p>
      <Cost plan={plan} />
      <LimitFields draft={limits} set={setLimits} />
    </Confirm>
  );
}
