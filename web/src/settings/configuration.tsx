import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { api, ask } from "../api/client";
import type { Setting } from "../api/types";
import { Box } from "../show/box";
import { count } from "../show/format";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows, type Column } from "../show/rows";
import { found, originOf, valueOf } from "./found";

const settingsQuery = { queryKey: ["settings"], queryFn: () => ask(api.GET("/v1/settings")) };

const columns: readonly Column<Setting>[] = [
  {
    key: "name",
    title: "Setting",
    sort: (s) => s.name,
    show: (s) => (
      <>
        <span className="mono">{s.name}</span>
        <p>{s.about}</p>
      </>
    ),
  },
  {
    key: "value",
    title: "Value",
    width: "32%",
    sort: (s) => s.value,
    show: (s) => (
      <>
        <span className={s.value === "" ? "u-text--muted" : "mono"}>{valueOf(s)}</span>
        {s.value !== s.default && s.default !== "" && <p>By default {s.default}</p>}
      </>
    ),
  },
  { key: "from", title: "Comes from", width: "22%", sort: originOf, show: (s) => <span className={s.origin === "default" ? "u-text--muted" : "mono"}>{originOf(s)}</span> },
];

/** The daemon's settings, and where each comes from. */
export function Configuration() {
  const settings = useQuery(settingsQuery);
  const [search, setSearch] = useState("");
  const [given, setGiven] = useState(false);
  return (
    <Box title="Configuration">
      <Query query={settings}>
        {({ file, items }) => {
          const shown = found(items, search, given);
          return (
            <>
              <p className="u-text--muted">
                As it was when the daemon began, from {file === undefined ? "no file: all defaults" : <span className="mono">{file}</span>}. What is changed there counts
                once the daemon is started anew or gets SIGHUP.
              </p>
              <div className="tools">
                <input type="search" aria-label="Search settings" placeholder="Name, value, what it does" value={search} onChange={(e) => setSearch(e.target.value)} />
                <label className="tick">
                  <input type="checkbox" checked={given} onChange={(e) => setGiven(e.target.checked)} />
                  Only what is set
                </label>
                <span className="tools__count" role="status">
                  {shown.length === items.length ? count(items.length, "setting") : `${count(shown.length, "setting")} of ${items.length}`}
                </span>
              </div>
              <Rows wrap label="Settings" rows={shown} columns={columns} id={(s) => s.name} empty={<Nothing title="No setting matches" />} />
            </>
          );
        }}
      </Query>
    </Box>
  );
}
