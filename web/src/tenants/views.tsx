import { useState } from "react";

import { Menu } from "../show/menu";
import { isNamed, useKept } from "./kept";

/** Filters that the viewer gave names, kept in this browser. */
export function SavedViews({ query, onOpen }: { query: string; onOpen: (query: string) => void }) {
  const [views, keep] = useKept<Readonly<Record<string, string>>>("tenants.views", {}, isNamed);
  const [name, setName] = useState("");
  const forget = (view: string) => keep(Object.fromEntries(Object.entries(views).filter(([key]) => key !== view)));
  return (
    <Menu label="Views">
      {Object.entries(views).map(([view, saved]) => (
        <div className="tools" key={view}>
          <button type="button" onClick={() => onOpen(saved)}>
            {view}
          </button>
          <button type="button" aria-label={`Forget the view ${view}`} onClick={() => forget(view)}>
            <i className="p-icon--delete" />
          </button>
        </div>
      ))}
      <form
        className="tools"
        onSubmit={(e) => {
          e.preventDefault();
          keep({ ...views, [name]: query });
          setName("");
        }}
      >
        <input type="text" aria-label="Name of this view" placeholder="Name of this view" value={name} onChange={(e) => setName(e.target.value)} />
        <button disabled={name === ""}>Save</button>
      </form>
    </Menu>
  );
}
