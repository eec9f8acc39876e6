import { useDeferredValue, useMemo, useState } from "react";
import { Link, useSearchParams } from "react-router";

import type { Tenant } from "../api/types";
import { Page } from "../shell/page";
import { useMay } from "../shell/session";
import { count } from "../show/format";
import { Menu } from "../show/menu";
import { Nothing } from "../show/nothing";
import { Query } from "../show/query";
import { Rows } from "../show/rows";
import { useTenants } from "./all";
import { Bulk } from "./bulk";
import { columns, usual } from "./columns";
import { filterOf, filtered, queryOf, valuesOf, type Filter } from "./filter";
import { isWords, useKept } from "./kept";
import { SavedViews } from "./views";

/** All tenants. */
export function Tenants() {
  const tenants = useTenants();
  const operator = useMay("operator");
  return (
    <Page
      title="Tenants"
      actions={
        operator && (
          <Link className="p-button--positive" to="/tenants/new">
            Create tenant
          </Link>
        )
      }
    >
      <Query query={tenants}>{(all) => <List all={all} />}</Query>
    </Page>
  );
}

function List({ all }: { all: readonly Tenant[] }) {
  const [query, setQuery] = useSearchParams();
  const [filter, setFilter] = useState(() => filterOf(query));
  const [names, keepNames] = useKept("tenants.columns", usual, isWords);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const operator = useMay("operator");
  const wanted = useDeferredValue(filter); // typing comes before drawing
  const found = useMemo(() => filtered(all, wanted), [all, wanted]);
  const shown = useMemo(() => columns.filter((column) => names.includes(column.key)), [names]);
  const change = (next: Filter) => {
    setFilter(next);
    setQuery(queryOf(next), { replace: true });
  };
  return (
    <>
      <div className="tools">
        <input
          type="search"
          placeholder="Name, domain, label, contact"
          aria-label="Search tenants"
          value={filter.search}
          onChange={(e) => change({ ...filter, search: e.target.value })}
        />
        <Choose name="Status" field="status" all={all} value={(t) => t.status} filter={filter} change={change} />
        <Choose name="Plan" field="plan" all={all} value={(t) => t.plan} filter={filter} change={change} />
        <Choose name="Image" field="image" all={all} value={(t) => t.image} filter={filter} change={change} />
        <Choose name="Member" field="member" all={all} value={(t) => t.location} filter={filter} change={change} />
        {operator && chosen.size > 0 ? (
          <div className="tools__count">
            <Bulk chosen={chosen} onDone={() => setChosen(new Set())} />
          </div>
        ) : (
          <span className="tools__count" role="status">
            {found.length === all.length ? count(all.length, "tenant") : `${count(found.length, "tenant")} of ${all.length.toLocaleString("en")}`}
          </span>
        )}
        <SavedViews query={queryOf(filter).toString()} onOpen={(saved) => change(filterOf(new URLSearchParams(saved)))} />
        <ColumnMenu names={names} keep={keepNames} />
      </div>
      <Rows
        tall
        label="Tenants"
        rows={found}
        columns={shown}
        id={(tenant) => tenant.name}
        {...(operator ? { choice: { chosen, choose: setChosen } } : {})}
        empty={<Empty none={all.length === 0} />}
      />
    </>
  );
}

function Empty({ none }: { none: boolean }) {
  if (!none) return <Nothing title="No tenant matches">Change the filter to see more.</Nothing>;
  return (
    <Nothing title="No tenants yet">
      <p>
        A tenant is a client’s own place, cloned from a golden image. <Link to="/tenants/new">Create the first one</Link>
      </p>
    </Nothing>
  );
}

interface ChooseProps {
  name: string;
  field: "status" | "plan" | "image" | "member";
  all: readonly Tenant[];
  value: (tenant: Tenant) => string | undefined;
  filter: Filter;
  change: (filter: Filter) => void;
}

function Choose({ name, field, all, value, filter, change }: ChooseProps) {
  const values = valuesOf(all, value);
  return (
    <select aria-label={name} value={filter[field]} onChange={(e) => change({ ...filter, [field]: e.target.value })}>
      <option value="">{name}</option>
      {values.map((v) => (
        <option key={v}>{v}</option>
      ))}
    </select>
  );
}

function ColumnMenu({ names, keep }: { names: readonly string[]; keep: (names: readonly string[]) => void }) {
  return (
    <Menu label="Columns">
      {columns.map(({ key, title }) => (
        <label className="tick" key={key}>
          <input
            type="checkbox"
            checked={names.includes(key)}
            disabled={key === "name"}
            onChange={(e) => keep(e.target.checked ? [...names, key] : names.filter((n) => n !== key))}
          />
          {title}
        </label>
      ))}
    </Menu>
  );
}
