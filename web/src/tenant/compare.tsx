import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Snapshot } from "../api/types";
import type { components } from "../api/schema.gen";
import { Box } from "../show/box";
import { bytes, count } from "../show/format";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State, type Tone } from "../show/state";

type Change = components["schemas"]["FileChange"];

const tones: Record<Change["change"], Tone> = { added: "good", removed: "bad", changed: "warn" };

const columns: readonly Column<Change>[] = [
  { key: "change", title: "Change", width: "8rem", sort: (c) => c.change, show: (c) => <State tone={tones[c.change]}>{c.change}</State> },
  { key: "path", title: "File", sort: (c) => c.path, show: (c) => <span className="mono" title={c.path}>{c.path}</span> },
  { key: "before", title: "Before", width: "8rem", minor: true, show: (c) => c.before !== undefined && bytes(c.before.size) },
  { key: "after", title: "After", width: "8rem", minor: true, show: (c) => c.after !== undefined && bytes(c.after.size) },
];

interface Props {
  tenant: string;
  snapshot: string;
  snapshots: readonly Snapshot[];
  onClose: () => void;
}

/** Which files have changed since a snapshot. */
export function Compare({ tenant, snapshot, snapshots, onClose }: Props) {
  const [to, setTo] = useState("");
  const changes = useQuery({
    queryKey: ["diff", tenant, snapshot, to],
    staleTime: 0,
    queryFn: ({ signal }) => {
      const params = { path: { name: tenant, snapshot }, query: to === "" ? {} : { to } };
      return ask(api.GET("/v1/tenants/{name}/snapshots/{snapshot}/diff", { params, signal }));
    },
  });
  return (
    <Box title={`Changes since ${snapshot}`}>
      <div className="tools">
        <select aria-label="Up to" value={to} onChange={(e) => setTo(e.target.value)}>
          <option value="">up to now</option>
          {snapshots
            .filter((s) => s.name !== snapshot)
            .map((s) => (
              <option key={s.name} value={s.name}>
                up to {s.name}
              </option>
            ))}
        </select>
        <button onClick={onClose}>Close</button>
        {changes.data !== undefined && <span className="tools__count">{count(changes.data.items.length, "file")}</span>}
      </div>
      <Query query={changes}>
        {({ items }) => <Rows label="Changed files" tall={items.length > 50} rows={items} columns={columns} id={(c) => c.path} empty={<Nothing title="No file has changed" />} />}
      </Query>
    </Box>
  );
}
