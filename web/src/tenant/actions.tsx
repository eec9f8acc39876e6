import { useState } from "react";

import { api, ask, once } from "../api/client";
import type { Tenant } from "../api/types";
import { useAct } from "../shell/act";
import { Confirm } from "../shell/confirm";
import { useMay } from "../shell/session";
import { Menu } from "../show/menu";
import { Move } from "./move";

type Question = "stop" | "restart" | "delete" | "purge" | "maintenance" | "move";

/** What can be done to a tenant now. */
export function Actions({ tenant }: { tenant: Tenant }) {
  const { busy, act } = useAct();
  const client = useMay("client");
  const operator = useMay("operator");
  const [question, setQuestion] = useState<Question>();
  const { name } = tenant;
  const params = { path: { name }, header: once() };
  const removed = tenant.desired === "removed";
  const runs = tenant.desired === "running";
  if (!client) return null;
  if (removed) {
    return (
      <>
        <button className="p-button--positive" disabled={busy} onClick={() => void act(`Restore ${name}`, () => ask(api.POST("/v1/tenants/{name}/undelete", { params })))}>
          Take out of the trash
        </button>
        <button className="p-button--negative" onClick={() => setQuestion("purge")}>
          Delete for good
        </button>
        <Questions tenant={tenant} question={question} onClose={() => setQuestion(undefined)} />
      </>
    );
  }
  return (
    <>
      <button disabled={busy} onClick={() => void act(`Snapshot ${name}`, () => ask(api.POST("/v1/tenants/{name}/snapshots", { params, body: {} })))}>
        Snapshot
      </button>
      {runs && <button onClick={() => setQuestion("restart")}>Restart</button>}
      {operator && (
        <>
          {runs ? (
            <button onClick={() => setQuestion("stop")}>Stop</button>
          ) : (
            <button className="p-button--positive" disabled={busy} onClick={() => void act(`Start ${name}`, () => ask(api.POST("/v1/tenants/{name}/start", { params })))}>
              Start
            </button>
          )}
          <Menu label="More">
            <button type="button" onClick={() => void act(`Back up ${name}`, () => ask(api.POST("/v1/backups", { params: { header: once() }, body: { tenant: name } })))}>
              Back up now
            </button>
            {tenant.maintenance === undefined ? (
              <button type="button" onClick={() => setQuestion("maintenance")}>
                Close to visitors
              </button>
            ) : (
              <button type="button" onClick={() => void act("Open to visitors", () => ask(api.DELETE("/v1/tenants/{name}/maintenance", { params: { path: { name } } })))}>
                Open to visitors
              </button>
            )}
            <button type="button" onClick={() => setQuestion("move")}>
              Move
            </button>
            <button type="button" onClick={() => setQuestion("delete")}>
              Delete
            </button>
          </Menu>
        </>
      )}
      <Questions tenant={tenant} question={question} onClose={() => setQuestion(undefined)} />
    </>
  );
}

function Questions({ tenant, question, onClose }: { tenant: Tenant; question: Question | undefined; onClose: () => void }) {
  const { act } = useAct();
  const { name } = tenant;
  const params = { path: { name }, header: once() };
  switch (question) {
    case undefined:
      return null;
    case "stop":
      return (
        <Confirm title={`Stop ${name}?`} verb="Stop" lxc={[`stop ${name} --timeout 60`]} onClose={onClose} onConfirm={() => act(`Stop ${name}`, () => ask(api.POST("/v1/tenants/{name}/stop", { params })))}>
          <p>Visitors see that it is stopped. It is stopped cleanly, and stays so until somebody starts it.</p>
        </Confirm>
      );
    case "restart":
      return (
        <Confirm title={`Restart ${name}?`} verb="Restart" lxc={[`restart ${name}`, "Requests that come meanwhile wait there too."]} onClose={onClose} onConfirm={() => act(`Restart ${name}`, () => ask(api.POST("/v1/tenants/{name}/restart", { params })))}>
          <p>Requests wait meanwhile, and are answered afterwards.</p>
        </Confirm>
      );
    case "delete":
      return (
        <Confirm
          title={`Delete ${name}?`}
          verb="Delete"
          lxc={[`delete ${name} --force`, "That deletes it at once: it does not go into the trash."]}
          type={name}
          onClose={onClose}
          onConfirm={() => act(`Delete ${name}`, () => ask(api.DELETE("/v1/tenants/{name}", { params: { path: { name } } })))}
        >
          <p>It is stopped and put into the trash, and can be taken out again for some days.</p>
        </Confirm>
      );
    case "purge":
      return (
        <Confirm
          title={`Delete ${name} for good?`}
          verb="Delete for good"
          type={name}
          onClose={onClose}
          onConfirm={() => act(`Delete ${name}`, () => ask(api.DELETE("/v1/tenants/{name}", { params: { path: { name }, query: { now: true } } })))}
        >
          <p>Its instance, its data and its snapshots are gone afterwards. Backups stay.</p>
        </Confirm>
      );
    case "move":
      return <Move tenant={tenant} onClose={onClose} />;
    case "maintenance":
      return <Close tenant={tenant} onClose={onClose} />;
  }
}

function Close({ tenant, onClose }: { tenant: Tenant; onClose: () => void }) {
  const { act } = useAct();
  const [message, setMessage] = useState("");
  const close = () =>
    act("Close to visitors", () =>
      ask(api.PUT("/v1/tenants/{name}/maintenance", { params: { path: { name: tenant.name } }, body: message === "" ? {} : { message } })),
    );
  return (
    <Confirm title={`Close ${tenant.name} to visitors?`} verb="Close" onClose={onClose} onConfirm={close}>
      <p>They see a page with status 503 until it is opened again.</p>
      <input type="text" aria-label="What visitors are told" placeholder="What visitors are told" value={message} onChange={(e) => setMessage(e.target.value)} />
    </Confirm>
  );
}
