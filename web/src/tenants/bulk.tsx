import { useState } from "react";

import { api, ask, once } from "../api/client";
import { PlaceOptions } from "../members/placeoptions";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { Field } from "../show/field";
import { capital, count } from "../show/format";
import { Menu } from "../show/menu";
import { PlanOptions } from "./plan";
import { bulkOf, lxcOf, spelled, titleOf, typed, verbs, type Verb } from "./many";

interface Props {
  chosen: ReadonlySet<string>;
  onDone: () => void;
}

/** Does the same to all chosen tenants, by one job. */
export function Bulk({ chosen, onDone }: Props) {
  const [verb, setVerb] = useState<Verb>();
  const names = [...chosen].sort();
  return (
    <>
      <Menu label={`${count(names.length, "tenant")} chosen`}>
        {verbs.map((v) => (
          <button key={v} type="button" onClick={() => setVerb(v)}>
            {capital(v)}
          </button>
        ))}
      </Menu>
      {verb !== undefined && <Sure verb={verb} names={names} onDone={onDone} onClose={() => setVerb(undefined)} />}
    </>
  );
}

function Sure({ verb, names, onDone, onClose }: { verb: Verb; names: readonly string[]; onDone: () => void; onClose: () => void }) {
  const { act } = useAct();
  const [atOnce, setAtOnce] = useState("");
  const [to, setTo] = useState("");
  const [plan, setPlan] = useState("");
  const lxc = lxcOf(verb, names);
  const title = capital(titleOf(verb, names));
  const begin = async () => {
    const begun = await act(title, () => ask(api.POST("/v1/bulk", { params: { header: once() }, body: bulkOf(verb, names, { atOnce, to, plan }) })));
    if (begun) onDone();
    return begun;
  };
  return (
    <Confirm ready={verb !== "resize" || plan !== ""} title={`${title}?`} verb={capital(verb)} type={typed(verb, names)} {...(lxc === undefined ? {} : { lxc })} onClose={onClose} onConfirm={begin}>
      <p>{spelled(names)}</p>
      {verb === "delete" && <p>They are stopped and put into the trash, from which they can be taken for some days.</p>}
      {verb === "move" && (
        <Field label="To">
          {(p) => (
            <select {...p} value={to} onChange={(e) => setTo(e.target.value)}>
              <PlaceOptions />
            </select>
          )}
        </Field>
      )}
      {verb === "resize" && (
        <Field label="Plan" help="CPU, memory, processes and disk; changed while they run.">
          {(p) => (
            <select {...p} value={plan} onChange={(e) => setPlan(e.target.value)}>
              <option value="">Choose one</option>
              <PlanOptions />
            </select>
          )}
        </Field>
      )}
      {names.length > 1 && (
        <Field label="At once" help="How many tenants at a time, 16 at most.">
          {(p) => <input {...p} type="number" min={1} max={16} placeholder="4" value={atOnce} onChange={(e) => setAtOnce(e.target.value)} />}
        </Field>
      )}
    </Confirm>
  );
}
