import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { Secret } from "../access/secret";
import { api, ask } from "../api/client";
import type { Webhook } from "../api/types";
import { Confirm } from "../shell/confirm";
import { Page } from "../shell/page";
import { Box } from "../show/box";
import { Menu } from "../show/menu";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { State } from "../show/state";
import { useChange } from "./change";
import { Deliveries } from "./deliveries";
import { WebhookForm } from "./form";
import { webhooksQuery } from "./query";

/** Programs that are told what happens, and what they were told. */
export function Webhooks() {
  const webhooks = useQuery(webhooksQuery);
  const [editing, setEditing] = useState<Webhook | "new">();
  const [secret, setSecret] = useState<string>();
  const [chosen, setChosen] = useState<string>();
  const items = webhooks.data?.items ?? [];
  const open = items.find((webhook) => webhook.id === chosen) ?? items[0];
  return (
    <Page
      title="Webhooks"
      actions={
        <button className="p-button--positive" onClick={() => setEditing("new")}>
          Add webhook
        </button>
      }
    >
      {secret !== undefined && <Secret title="What is sent is signed with this secret. It is shown only now." text={secret} onClose={() => setSecret(undefined)} />}
      {editing !== undefined && <WebhookForm key={editing === "new" ? "" : editing.id} webhook={editing === "new" ? undefined : editing} onSecret={setSecret} onClose={() => setEditing(undefined)} />}
      <Query query={webhooks}>
        {() =>
          items.length === 0 ? (
            <Nothing title="No webhooks">
              <p>A webhook tells another program what happens here, signed, in order, and again until it is taken.</p>
            </Nothing>
          ) : (
            <ul className="line">
              {items.map((webhook) => (
                <One key={webhook.id} webhook={webhook} open={webhook.id === open?.id} onOpen={() => setChosen(webhook.id)} onEdit={() => setEditing(webhook)} onSecret={setSecret} />
              ))}
            </ul>
          )
        }
      </Query>
      {open !== undefined && (
        <Box title={`Deliveries to ${open.name}`}>
          <Deliveries key={open.id} webhook={open} />
        </Box>
      )}
    </Page>
  );
}

interface OneProps {
  webhook: Webhook;
  open: boolean;
  onOpen: () => void;
  onEdit: () => void;
  onSecret: (secret: string) => void;
}

function One({ webhook, open, onOpen, onEdit, onSecret }: OneProps) {
  const { busy, change } = useChange();
  const [going, setGoing] = useState(false);
  const params = { path: { id: webhook.id } };
  const renew = async () => {
    const { secret } = await ask(api.PATCH("/v1/webhooks/{id}", { params, body: { new_secret: true } }));
    if (secret !== undefined) onSecret(secret);
  };
  return (
    <li>
      <State tone={webhook.disabled ? "idle" : "good"}>{""}</State>
      <div>
        <strong>{webhook.name}</strong> <span className="mono">{webhook.url}</span>
        <p>
          {[
            webhook.disabled ? "disabled" : "",
            webhook.events.length === 0 ? "all events" : webhook.events.join(", "),
            webhook.tenants.length === 0 ? "all tenants" : `only ${webhook.tenants.join(", ")}`,
            webhook.allow_private ? "may lead to private addresses" : "",
          ]
            .filter(Boolean)
            .join(" · ")}
        </p>
      </div>
      <div className="line__actions">
        {!open && <button onClick={onOpen}>Deliveries</button>}
        <button disabled={busy} onClick={() => void change(`Test ${webhook.name}`, () => ask(api.POST("/v1/webhooks/{id}/test", { params })))}>
          Test
        </button>
        <Menu label="More">
          <button type="button" onClick={onEdit}>
            Change
          </button>
          <button type="button" onClick={() => void change(webhook.disabled ? `Enable ${webhook.name}` : `Disable ${webhook.name}`, () => ask(api.PATCH("/v1/webhooks/{id}", { params, body: { disabled: !webhook.disabled } })))}>
            {webhook.disabled ? "Enable" : "Disable"}
          </button>
          <button type="button" onClick={() => void change(`Another secret for ${webhook.name}`, renew)}>
            Another secret
          </button>
          <button type="button" onClick={() => setGoing(true)}>
            Delete
          </button>
        </Menu>
      </div>
      {going && (
        <Confirm
          title={`Delete the webhook ${webhook.name}?`}
          verb="Delete"
          type={webhook.name}
          onClose={() => setGoing(false)}
          onConfirm={() => change(`Delete ${webhook.name}`, () => ask(api.DELETE("/v1/webhooks/{id}", { params })))}
        >
          <p>What was not delivered yet is not sent any more, and what is written down of deliveries goes too.</p>
        </Confirm>
      )}
    </li>
  );
}
