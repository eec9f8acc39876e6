import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";

import { api, ask, once } from "../api/client";
import type { Tenant } from "../api/types";
import { membersQuery } from "../members/query";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Facts } from "../show/facts";
import { Field } from "../show/field";
import { bytes, span } from "../show/format";
import { Query } from "../show/query";
import { instant } from "./when";

type When = "now" | "window" | "at";

/** Asks where a tenant shall move, when and how fast, and says what that would cost. */
export function Move({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { act } = useAct();
  const { name } = tenant;
  const [to, setTo] = useState("");
  const [limit, setLimit] = useState("");
  const [hold, setHold] = useState("");
  const [when, setWhen] = useState<When>("now");
  const [at, setAt] = useState("");
  const members = useQuery(membersQuery);
  const where = to === "" ? {} : { to };
  const slow = useDeferredValue(limit);
  const estimate = useQuery({
    queryKey: ["tenant", name, "move", to, slow],
    retry: false,
    queryFn: ({ signal }) => {
      const query = { ...where, ...(slow === "" ? {} : { limit: slow }) };
      return ask(api.GET("/v1/tenants/{name}/move", { params: { path: { name }, query }, signal }));
    },
  });
  const move = () => {
    const time = when === "now" ? {} : { at: when === "window" ? "window" : instant(at) };
    const body = { ...where, ...time, ...(limit === "" ? {} : { limit }), ...(hold === "" ? {} : { max_hold: hold }) };
    return act(when === "now" ? `Move ${name}` : `Plan a move of ${name}`, () => ask(api.POST("/v1/tenants/{name}/move", { params: { path: { name }, header: once() }, body })));
  };
  return (
    <Confirm
      title={`Move ${name} to another member?`}
      verb={when === "now" ? "Move" : "Plan"}
      lxc={[`move ${name} --target ${to === "" ? (estimate.data?.to ?? "MEMBER") : to}`, "That takes it down for as long as the copy takes, and only works while it is stopped."]}
      onClose={onClose}
      onConfirm={move}
    >
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
      <Field label="When" help={tenant.window === undefined ? "It has no window; its settings give it one." : `Its window: ${tenant.window}`}>
        {(p) => (
          <select {...p} value={when} onChange={(e) => setWhen(e.target.value as When)}>
            <option value="now">Now</option>
            <option value="window" disabled={tenant.window === undefined}>
              As soon as its window allows
            </option>
            <option value="at">At a time</option>
          </select>
        )}
      </Field>
      {when === "at" && <Field label="Time" help="In your time zone, within 90 days.">{(p) => <input {...p} type="datetime-local" value={at} onChange={(e) => setAt(e.target.value)} />}</Field>}
      <details>
        <summary>Limits</summary>
        <Field label="Copy at most, each second" help="Such as 50MiB, while it runs.">
          {(p) => <input {...p} type="text" placeholder="as fast as it goes" value={limit} onChange={(e) => setLimit(e.target.value)} />}
        </Field>
        <Field label="Requests may wait" help="Such as 20s. Where more would be needed, the move is taken back.">
          {(p) => <input {...p} type="text" placeholder="as long as the proxy lets them" value={hold} onChange={(e) => setHold(e.target.value)} />}
        </Field>
      </details>
      <Query query={estimate}>
        {(data) => (
          <Facts
            facts={[
              ["To", data.to],
              ["Because", data.why],
              ["To copy", bytes(data.bytes)],
              ["Copying takes", span(data.copy)],
              ["Requests wait", span(data.hold)],
            ]}
          />
        )}
      </Query>
    </Confirm>
  );
}
