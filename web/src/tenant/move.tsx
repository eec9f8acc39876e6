import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";

import { api, ask, once } from "../api/client";
import type { Tenant } from "../api/types";
import { LimitFields } from "../members/limitfields";
import { limitsOf, unlimited } from "../members/limits";
import { PlaceOptions } from "../members/placeoptions";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Facts } from "../show/facts";
import { Field } from "../show/field";
import { bytes, span } from "../show/format";
import { Query } from "../show/query";
import { lxcMove } from "./lxcmove";
import { instant } from "./when";

type When = "now" | "window" | "at";

/** Asks where a tenant shall move, when and how fast, and says what that would cost. */
export function Move({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { act } = useAct();
  const { name } = tenant;
  const [to, setTo] = useState("");
  const [limits, setLimits] = useState(unlimited);
  const [when, setWhen] = useState<When>("now");
  const [at, setAt] = useState("");
  const where = to === "" ? {} : { to };
  const slow = useDeferredValue(limits.limit.trim());
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
    const body = { ...where, ...time, ...limitsOf(limits) };
    return act(when === "now" ? `Move ${name}` : `Plan a move of ${name}`, () => ask(api.POST("/v1/tenants/{name}/move", { params: { path: { name }, header: once() }, body })));
  };
  return (
    <Confirm
      title={`Move ${name} to another member?`}
      verb={when === "now" ? "Move" : "Plan"}
      lxc={[lxcMove(name, to === "" || to.endsWith(":") ? (estimate.data?.to ?? `${to}MEMBER`) : to), "That takes it down for as long as the copy takes, and only works while it is stopped."]}
      onClose={onClose}
      onConfirm={move}
    >
      <p>It is copied while it runs. Then its requests wait while it changes over; none of them fails.</p>
      <Field label="To">
        {(p) => (
          <select {...p} value={to} onChange={(e) => setTo(e.target.value)}>
            <PlaceOptions except={tenant.location} />
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
        <LimitFields single draft={limits} set={setLimits} />
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
