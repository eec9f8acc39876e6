import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Policy } from "../api/types";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Field } from "../show/field";
import { keepOf, keepText } from "./keep";

type What = "snapshots" | "backups" | "drills";
const whats: readonly What[] = ["snapshots", "backups", "drills"];
type Plans = Record<What, { cron: string; keep: string }>;

interface Props {
  /** The one to change; a new one without. */
  policy: Policy | undefined;
  onClose: () => void;
}

/** Makes a policy, changes or deletes one. */
export function PolicyForm({ policy, onClose }: Props) {
  const queries = useQueryClient();
  const { busy, act } = useAct();
  const [name, setName] = useState(policy?.name ?? "");
  const [description, setDescription] = useState(policy?.description ?? "");
  const [zone, setZone] = useState(policy?.time_zone ?? "");
  const [plans, setPlans] = useState<Plans>(() => plansOf(policy));
  const [going, setGoing] = useState(false);
  const change = async (title: string, run: () => Promise<unknown>) => {
    const taken = await act(title, run);
    await queries.invalidateQueries({ queryKey: ["policies"] });
    if (taken) onClose();
    return taken;
  };
  const save = () =>
    change(policy === undefined ? `Make the policy ${name}` : `Change ${name}`, async () => {
      const edit = { description, time_zone: zone, ...schedules(plans, policy) };
      if (policy === undefined) await ask(api.POST("/v1/policies", { body: { name, ...edit } }));
      else await ask(api.PATCH("/v1/policies/{policy}", { params: { path: { policy: policy.name } }, body: edit }));
    });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <div className="pair">
        <Field label="Name">{(p) => <input {...p} type="text" disabled={policy !== undefined} value={name} onChange={(e) => setName(e.target.value)} />}</Field>
        <Field label="Description">{(p) => <input {...p} type="text" value={description} onChange={(e) => setDescription(e.target.value)} />}</Field>
        <Field label="Time zone" help="Such as Europe/Berlin; the daemon’s where it is empty.">
          {(p) => <input {...p} type="text" value={zone} onChange={(e) => setZone(e.target.value)} />}
        </Field>
      </div>
      {whats.map((what) => (
        <div className="pair" key={what}>
          <Field label={`When: ${what}`} help="Minute, hour, day, month, weekday, such as 30 2 * * *; or @hourly. Never where it is empty.">
            {(p) => <input {...p} type="text" className="mono" value={plans[what].cron} onChange={(e) => setPlans({ ...plans, [what]: { ...plans[what], cron: e.target.value } })} />}
          </Field>
          <Field label={`Kept ${what}`} help="Such as last=3, daily=7, min-age=72h; all where it is empty.">
            {(p) => <input {...p} type="text" className="mono" value={plans[what].keep} onChange={(e) => setPlans({ ...plans, [what]: { ...plans[what], keep: e.target.value } })} />}
          </Field>
        </div>
      ))}
      <div className="tools">
        <button className="p-button--positive" disabled={busy || name === ""}>
          Save
        </button>
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        {policy !== undefined && (
          <button type="button" className="p-button--negative" onClick={() => setGoing(true)}>
            Delete
          </button>
        )}
      </div>
      {going && policy !== undefined && (
        <Confirm
          title={`Delete the policy ${policy.name}?`}
          verb="Delete"
          type={policy.name}
          onClose={() => setGoing(false)}
          onConfirm={() => change(`Delete ${policy.name}`, () => ask(api.DELETE("/v1/policies/{policy}", { params: { path: { policy: policy.name } } })))}
        >
          <p>No tenant may have it any more. What it has taken stays.</p>
        </Confirm>
      )}
    </form>
  );
}

function plansOf(policy: Policy | undefined): Plans {
  const one = (what: What) => ({ cron: policy?.[what]?.cron ?? "", keep: keepText(policy?.[what]?.keep) });
  return { snapshots: one("snapshots"), backups: one("backups"), drills: one("drills") };
}

// A schedule that there was is taken away by an empty cron; one that never was is left out.
function schedules(plans: Plans, policy: Policy | undefined) {
  const wanted = whats.filter((what) => plans[what].cron !== "" || policy?.[what] !== undefined);
  return Object.fromEntries(
    wanted.map((what) => [what, plans[what].cron === "" ? { cron: "" } : { cron: plans[what].cron, keep: keepOf(plans[what].keep) }]),
  );
}
