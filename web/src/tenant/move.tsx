import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask, once } from "../api/client";
import type { Tenant } from "../api/types";
import { membersQuery } from "../members/query";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Facts } from "../show/facts";
import { Field } from "../show/field";
import { bytes } from "../show/format";
import { Query } from "../show/query";

/** Asks where a tenant shall move, and says what that would cost. */
export function Move({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { act } = useAct();
  const { name } = tenant;
  const [to, setTo] = useState("");
  const members = useQuery(membersQuery);
  const wanted = to === "" ? {} : { to };
  const estimate = useQuery({
    queryKey: ["tenant", name, "move", to],
    retry: false,
    queryFn: ({ signal }) => ask(api.GET("/v1/tenants/{name}/move", { params: { path: { name }, query: wanted }, signal })),
  });
  const move = () => act(`Move ${name}`, () => ask(api.POST("/v1/tenants/{name}/move", { params: { path: { name }, header: once() }, body: wanted })));
  return (
    <Confirm title={`Move ${name} to another member?`} verb="Move" onClose={onClose} onConfirm={move}>
      <p>It is copied while it runs. Then its requests wait while it changes over; none of them fails.</p>
      <Field label="To">
        {(p) => (
          <select {...p} value={to} onChange={(e) => setTo(e.target.value)}>
            <option value="">Placement chooses</option>
            {members.data?.items
              .filter((member) => member.name !== tenant.location)
              .map((member) => (
                <option key={member.name}>{member.name}</option>
              ))}
          </select>
        )}
      </Field>
      <Query query={estimate}>
        {(data) => (
          <Facts
            facts={[
              ["To", data.to],
              ["Because", data.why],
              ["To copy", bytes(data.bytes)],
              ["Copying takes", data.copy],
              ["Requests wait", data.hold],
            ]}
          />
        )}
      </Query>
    </Confirm>
  );
}
