import { useState } from "react";

import { api, ask, once } from "../api/client";
import { Box } from "../show/box";
import { Field } from "../show/field";
import { useChange } from "./change";
import { clusterOfDraft, complete, emptyCluster, type ClusterDraft } from "./draft";

/** Adds another cluster, or a stand-alone server. */
export function Add({ onClose }: { onClose: () => void }) {
  const { busy, change } = useChange();
  const [draft, setDraft] = useState<ClusterDraft>(emptyCluster);
  const set = (more: Partial<ClusterDraft>) => setDraft({ ...draft, ...more });
  const add = async () => {
    const taken = await change(`Add the cluster ${draft.name}`, () => ask(api.POST("/v1/clusters", { params: { header: once() }, body: clusterOfDraft(draft) })));
    if (taken) onClose();
  };
  const text = (key: Exclude<keyof ClusterDraft, "way">, label: string, help: string, type = "text") => (
    <Field label={label} help={help}>
      {(p) => <input {...p} type={type} autoComplete="off" spellCheck={false} value={draft[key]} onChange={(e) => set({ [key]: e.target.value })} />}
    </Field>
  );
  return (
    <Box title="Add a cluster">
      <p>On one of its members, run:</p>
      <pre className="text" tabIndex={0}>
        lxc config trust add --name lxdfleet
      </pre>
      <p>It prints a token. With it the cluster comes to trust a certificate that is made for it alone; its own is pinned, and lxdfleet’s project and profiles are made there.</p>
      <form
        className="form"
        onSubmit={(e) => {
          e.preventDefault();
          void add();
        }}
      >
        {text("name", "Name", "Its members are called NAME:MEMBER, such as west:n1.")}
        <Field label="It trusts us by">
          {(p) => (
            <select {...p} value={draft.way} onChange={(e) => set({ way: e.target.value as ClusterDraft["way"] })}>
              <option value="token">a token</option>
              <option value="password">its trust password (before LXD 6)</option>
            </select>
          )}
        </Field>
        {draft.way === "token" ? (
          text("token", "Token", "What the command above printed. It is good once.")
        ) : (
          <>
            {text("password", "Trust password", "It is not kept.", "password")}
            {text("fingerprint", "Fingerprint", "SHA-256 of the server’s certificate, which lxc info shows there.")}
          </>
        )}
        {text("url", "Address", draft.way === "token" ? "https://HOST:PORT of a member; the token’s own where it is empty." : "https://HOST:PORT of a member.")}
        <details>
          <summary>Project, pool and network there</summary>
          {text("project", "Project", "lxdfleet where it is empty.")}
          {text("pool", "Storage pool", "The one that suits best where it is empty.")}
          {text("network", "Network", "Likewise.")}
        </details>
        <button className="p-button--positive" disabled={busy || !complete(draft)}>
          Add
        </button>
        <button type="button" onClick={onClose}>
          Cancel
        </button>
      </form>
    </Box>
  );
}
