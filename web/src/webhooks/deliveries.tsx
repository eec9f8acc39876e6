import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Delivery, Webhook } from "../api/types";
import { Facts } from "../show/facts";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State, type Tone } from "../show/state";
import { Ago } from "../show/time";
import { useChange } from "./change";
import { deliveriesQuery } from "./query";

const tones: Record<Delivery["state"], Tone> = { pending: "busy", delivered: "good", dead: "bad" };

/** What was sent to a webhook, is to be, or could not be: the dead can be sent again. */
export function Deliveries({ webhook }: { webhook: Webhook }) {
  const [state, setState] = useState<Delivery["state"] | "">("");
  const [shown, setShown] = useState<string>();
  const deliveries = useQuery(deliveriesQuery(webhook.id, state));
  const { busy, change } = useChange();
  const items = deliveries.data?.items ?? [];
  const dead = items.filter((delivery) => delivery.state === "dead");
  const one = items.find((delivery) => delivery.id === shown);
  const replay = (delivery: Delivery) => ask(api.POST("/v1/deliveries/{id}/replay", { params: { path: { id: delivery.id } } }));
  const replayAll = async () => {
    // One after the other, the oldest first: their order is kept.
    for (const delivery of [...dead].reverse()) await replay(delivery);
  };
  const columns: readonly Column<Delivery>[] = [
    { key: "state", title: "State", width: "7.5rem", show: (d) => <State tone={tones[d.state]}>{d.state}</State> },
    { key: "type", title: "Event", sort: (d) => d.type, show: (d) => d.type },
    { key: "subject", title: "Subject", minor: true, sort: (d) => d.subject, show: (d) => d.subject },
    { key: "status", title: "Answer", width: "7rem", minor: true, show: (d) => d.status ?? (d.error === undefined ? "" : "none") },
    { key: "attempts", title: "Tries", width: "5rem", minor: true, show: (d) => d.attempts },
    { key: "at", title: "At", width: "9rem", minor: true, show: (d) => <Ago at={d.created_at} /> },
    {
      key: "do",
      title: "",
      width: "6.5rem",
      show: (d) => (
        <button className="p-button is-small is-inline" aria-expanded={d.id === shown} onClick={() => setShown(d.id === shown ? undefined : d.id)}>
          {d.id === shown ? "Hide" : "Details"}
        </button>
      ),
    },
  ];
  return (
    <>
      <div className="tools">
        <select aria-label="State" value={state} onChange={(e) => setState(e.target.value as Delivery["state"] | "")}>
          <option value="">All</option>
          <option value="pending">Pending</option>
          <option value="delivered">Delivered</option>
          <option value="dead">Dead</option>
        </select>
        {dead.length > 0 && (
          <button disabled={busy} onClick={() => void change(`Send ${dead.length} again`, replayAll)}>
            Send the dead again ({dead.length})
          </button>
        )}
      </div>
      {one !== undefined && (
        <div className="box">
          <Facts
            facts={[
              ["Id", <span key="i" className="mono">{one.id}</span>],
              ["Last error", one.error],
              ["Took", one.took],
              ["Next try", one.next_at !== undefined && <Ago key="n" at={one.next_at} />],
              ["Done", one.done_at !== undefined && <Ago key="d" at={one.done_at} />],
            ]}
          />
          <pre className="text" tabIndex={0}>
            {JSON.stringify(one.body, null, 2)}
          </pre>
          {one.state !== "pending" && (
            <button disabled={busy} onClick={() => void change(`Send ${one.type} again`, () => replay(one))}>
              Send again
            </button>
          )}
        </div>
      )}
      <Query query={deliveries}>
        {() => <Rows label={`Deliveries to ${webhook.name}`} tall={items.length > 30} rows={items} columns={columns} id={(d) => d.id} empty={<Nothing title="Nothing was sent">“Test” sends something.</Nothing>} />}
      </Query>
    </>
  );
}
