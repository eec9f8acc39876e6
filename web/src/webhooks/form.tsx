import { useState } from "react";

import { api, ask } from "../api/client";
import type { Webhook } from "../api/types";
import { Box } from "../show/box";
import { Field } from "../show/field";
import { words } from "../tenants/draft";
import { useChange } from "./change";

interface Props {
  /** The one to change; a new one without. */
  webhook: Webhook | undefined;
  onSecret: (secret: string) => void;
  onClose: () => void;
}

/** Makes a webhook, or changes one. */
export function WebhookForm({ webhook, onSecret, onClose }: Props) {
  const { busy, change } = useChange();
  const [name, setName] = useState(webhook?.name ?? "");
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [events, setEvents] = useState(webhook?.events.join(" ") ?? "");
  const [tenants, setTenants] = useState(webhook?.tenants.join(" ") ?? "");
  const [open, setOpen] = useState(webhook?.allow_private ?? false);
  const save = async () => {
    const body = { name, url, events: words(events), tenants: words(tenants), allow_private: open };
    const taken = await change(webhook === undefined ? `Add ${name}` : `Change ${name}`, async () => {
      if (webhook !== undefined) {
        await ask(api.PATCH("/v1/webhooks/{id}", { params: { path: { id: webhook.id } }, body }));
        return;
      }
      const made = await ask(api.POST("/v1/webhooks", { body }));
      if (made.secret !== undefined) onSecret(made.secret);
    });
    if (taken) onClose();
  };
  return (
    <Box title={webhook === undefined ? "Add a webhook" : `Change ${webhook.name}`}>
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <Field label="Name">{(p) => <input {...p} type="text" autoFocus value={name} onChange={(e) => setName(e.target.value)} />}</Field>
        <Field label="Address" help="What happens is sent there by POST.">
          {(p) => <input {...p} type="text" inputMode="url" placeholder="https://crm.example/hooks/lxdfleet" value={url} onChange={(e) => setUrl(e.target.value)} />}
        </Field>
        <Field label="Events" help="Types such as tenant.changed, or beginnings such as “backup.” with the dot; all where it is empty.">
          {(p) => <input {...p} type="text" placeholder="tenant. job.changed" value={events} onChange={(e) => setEvents(e.target.value)} />}
        </Field>
        <Field label="Tenants" help="The only ones it is told of; all where it is empty.">
          {(p) => <input {...p} type="text" value={tenants} onChange={(e) => setTenants(e.target.value)} />}
        </Field>
        <label className="tick">
          <input type="checkbox" checked={open} onChange={(e) => setOpen(e.target.checked)} />
          It may lead to private addresses, and to http
        </label>
        <div className="tools">
          <button className="p-button--positive" disabled={busy || name === "" || url === ""}>
            {webhook === undefined ? "Add" : "Save"}
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Box>
  );
}
