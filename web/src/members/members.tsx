import { useQuery } from "@tanstack/react-query";
import { Fragment, useState } from "react";
import { Link } from "react-router";

import { api, ask, once } from "../api/client";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { useMay } from "../shell/session";
import { Page } from "../shell/page";
import { Box } from "../show/box";
import { Query } from "../show/query";
import { MemberCard } from "./card";
import { Cost } from "./cost";
import { LimitFields } from "./limitfields";
import { limitsOf, unlimited } from "./limits";
import { Moves } from "./moves";
import { places } from "./places";
import { membersQuery } from "./query";

/** All members, and what a rebalance would move. */
export function Members() {
  const members = useQuery(membersQuery);
  const [plan, setPlan] = useState(false);
  return (
    <Page title="Members" actions={<button onClick={() => setPlan(!plan)}>{plan ? "Hide the plan" : "Plan a rebalance"}</button>}>
      {plan && <Rebalance />}
      <Query query={members}>
        {({ items }) => (
          <>
            {places(items.map((member) => member.name)).map(({ cluster, members: here }) => (
              <Fragment key={cluster}>
                {cluster !== "" && <h2>Cluster {cluster}</h2>}
                <div className="cards">
                  {items
                    .filter((member) => here.includes(member.name))
                    .map((member) => (
                      <MemberCard key={member.name} member={member}>
                        <Link to={`/members/${member.name}`}>Details</Link>
                      </MemberCard>
                    ))}
                </div>
              </Fragment>
            ))}
          </>
        )}
      </Query>
    </Page>
  );
}

function Rebalance() {
  const [consolidate, setConsolidate] = useState(false);
  const [asking, setAsking] = useState(false);
  const [limits, setLimits] = useState(unlimited);
  const operator = useMay("operator");
  const { act } = useAct();
  const plan = useQuery({
    queryKey: ["members", "rebalance", consolidate],
    queryFn: ({ signal }) => ask(api.GET("/v1/rebalance", { params: { query: { consolidate } }, signal })),
  });
  return (
    <Box title="What a rebalance would move">
      <label className="tick">
        <input type="checkbox" checked={consolidate} onChange={(e) => setConsolidate(e.target.checked)} />
        Empty as many members as can be instead
      </label>
      <Query query={plan}>{(data) => <Moves plan={data} nothing="Nothing has to move: no member is above its targets." />}</Query>
      {operator && (plan.data?.moves.length ?? 0) > 0 && (
        <button className="p-button--positive" onClick={() => setAsking(true)}>
          Carry out
        </button>
      )}
      {asking && plan.data !== undefined && (
        <Confirm
          title="Move these tenants?"
          verb="Move"
          onClose={() => setAsking(false)}
          onConfirm={() => act("Rebalance", () => ask(api.POST("/v1/rebalance", { params: { header: once() }, body: { consolidate, ...limitsOf(limits) } })))}
        >
          <p>The plan is made anew when it begins. No request fails; each tenant’s wait for some seconds.</p>
          <Cost plan={plan.data} />
          <LimitFields draft={limits} set={setLimits} />
        </Confirm>
      )}
    </Box>
  );
}
