import { useState } from "react";

import { api, ask, once } from "../api/client";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { count } from "../show/format";
import { Menu } from "../show/menu";
import { bulkOf, spelled, titleOf, typed, verbs, type Verb } from "./many";

/** Does the same to all chosen tenants, by one job. */
export function Bulk({ chosen, onDone }: { chosen: ReadonlySet<string>; onDone: () => void }) {
  const [verb, setVerb] = useState<Verb>();
  const { act } = useAct();
  const names = [...chosen].sort();
  const begin = async (todo: Verb) => {
    const begun = await act(titleOf(todo, names), () => ask(api.POST("/v1/bulk", { params: { header: once() }, body: bulkOf(todo, names) })));
    if (begun) onDone();
    return begun;
  };
  return (
    <>
      <Menu label={`${count(names.length, "tenant")} chosen`}>
        {verbs.map((v) => (
          <button key={v} type="button" onClick={() => setVerb(v)}>
            {v}
          </button>
        ))}
      </Menu>
      {verb !== undefined && (
        <Confirm
          title={`${titleOf(verb, names)}?`}
          verb={verb}
          type={typed(verb, names)}
          onClose={() => setVerb(undefined)}
          onConfirm={() => begin(verb)}
        >
          <p>{spelled(names)}</p>
          {verb === "delete" && <p>They are stopped and put into the trash, from which they can be taken for some days.</p>}
        </Confirm>
      )}
    </>
  );
}
