import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import type { components } from "../api/schema.gen";
import { Box } from "../show/box";
import { bytes, count, moment } from "../show/format";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { State, type Tone } from "../show/state";
import { comparable, mark, title, type Point } from "./line";
import { diffQuery } from "./query";

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
  from: Point;
  points: readonly Point[];
  onClose: () => void;
}

/** Which files have changed since a snapshot or a backup. */
export function Compare({ tenant, from, points, onClose }: Props) {
  const [chosen, setChosen] = useState("");
  const others = points.filter((p) => comparable(from, p));
  const to = others.find((p) => mark(p) === chosen);
  const changes = useQuery(diffQuery(tenant, from, to));
  return (
    <Box title={`Changes since ${title(from)}`}>
      <div className="tools">
        <select aria-label="Up to" value={to === undefined ? "" : chosen} onChange={(e) => setChosen(e.target.value)}>
          <option value="">up to now</option>
          {others.map((p) => (
            <option key={mark(p)} value={mark(p)}>
              up to {title(p)}
              {p.kind === "backup" && `, ${moment(new Date(p.at))}`}
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
