import { useState } from "react";

import { api, ask, once } from "../api/client";
import { asError } from "../api/problem";
import { Confirm } from "../shell/confirm";
import { useNotices } from "../shell/notices";
import { count } from "../show/format";
import { Menu } from "../show/menu";

type Verb = "start" | "stop" | "restart" | "snapshot" | "backup" | "delete";

const verbs: readonly Verb[] = ["start", "stop", "restart", "snapshot", "backup", "delete"];

function run(verb: Verb, name: string): Promise<unknown> {
  const params = { path: { name }, header: once() };
  switch (verb) {
    case "start":
      return ask(api.POST("/v1/tenants/{name}/start", { params }));
    case "stop":
      return ask(api.POST("/v1/tenants/{name}/stop", { params }));
    case "restart":
      return ask(api.POST("/v1/tenants/{name}/restart", { params }));
    case "snapshot":
      return ask(api.POST("/v1/tenants/{name}/snapshots", { params, body: {} }));
    case "backup":
      return ask(api.POST("/v1/backups", { params: { header: once() }, body: { tenant: name } }));
    case "delete":
      return ask(api.DELETE("/v1/tenants/{name}", { params: { path: { name } } }));
  }
}

/** How many requests are under way at once. */
const atOnce = 8;

/** Does the same to all chosen tenants. */
export function Bulk({ chosen, onDone }: { chosen: ReadonlySet<string>; onDone: () => void }) {
  const [verb, setVerb] = useState<Verb>();
  const notices = useNotices();
  const names = [...chosen].sort();
  const doAll = async (todo: Verb) => {
    const refused = await each(names, (name) => run(todo, name));
    if (refused.length === 0) notices.done(`${todo}: begun for ${count(names.length, "tenant")}`);
    for (const { name, error } of refused.slice(0, 3)) notices.failed(`${todo} ${name}`, error);
    if (refused.length > 3) notices.failed(todo, new Error(`${refused.length - 3} more could not be begun`));
    onDone();
    return true;
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
          title={`${verb} ${count(names.length, "tenant")}?`}
          verb={verb}
          type={verb === "delete" ? (names.length === 1 ? names[0] : `delete ${names.length}`) : undefined}
          onClose={() => setVerb(undefined)}
          onConfirm={() => doAll(verb)}
        >
          <p>{names.length > 12 ? `${names.slice(0, 12).join(", ")} and ${names.length - 12} more.` : `${names.join(", ")}.`}</p>
          {verb === "delete" && <p>They are stopped and put into the trash, from which they can be taken for some days.</p>}
        </Confirm>
      )}
    </>
  );
}

interface Refusal {
  name: string;
  error: Error;
}

async function each(names: readonly string[], run: (name: string) => Promise<unknown>): Promise<Refusal[]> {
  const refused: Refusal[] = [];
  const todo = [...names];
  const work = async () => {
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      try {
        await run(name);
      } catch (thrown) {
        refused.push({ name, error: asError(thrown) });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return refused;
}
