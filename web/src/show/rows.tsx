import { useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";

import { inSight } from "./window";

export interface Column<T> {
  key: string;
  title: string;
  show: (row: T) => ReactNode;
  /** What the column is sorted by; it cannot be where there is nothing. */
  sort?: (row: T) => string | number;
  /** CSS width. */
  width?: string;
  /** CSS width on narrow screens, where columns share the room evenly otherwise. */
  narrow?: string;
  /** Left out on narrow screens. */
  minor?: boolean;
}

export interface Choice {
  chosen: ReadonlySet<string>;
  choose: (chosen: ReadonlySet<string>) => void;
}

interface Props<T> {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  id: (row: T) => string;
  /** Shown where there are no rows. */
  empty: ReactNode;
  choice?: Choice;
  /** Scrolls by itself, and makes only the rows that can be seen: for long lists. */
  tall?: boolean;
  /** Rows are as high as what they hold; not for tall lists. */
  wrap?: boolean;
}

const height = 40;

interface Order {
  key: string;
  down: boolean;
}

/** A list: sorted by a click on a column's head; rows can be chosen. */
export function Rows<T>({ label, rows, columns, id, empty, choice, tall = false, wrap = false }: Props<T>) {
  const [order, setOrder] = useState<Order>();
  const sorted = useMemo(() => inOrder(rows, columns, order), [rows, columns, order]);
  const [frame, seen, onScroll] = useSight(sorted.length, tall);
  const shown = tall ? sorted.slice(seen.first, seen.end) : sorted;
  return (
    // Whoever has no mouse scrolls it by the keyboard, so it takes the focus.
    <div className={`rows ${tall ? "is-tall" : ""} ${wrap ? "is-wrapped" : ""}`} ref={frame} onScroll={onScroll} tabIndex={0} role="region" aria-label={label}>
      <table aria-label={label} aria-rowcount={sorted.length + 1} style={{ "--least": least(columns) }}>
        <thead>
          <tr>
            {choice !== undefined && <ChooseAll rows={sorted} id={id} choice={choice} />}
            {columns.map((column) => (
              <Head key={column.key} column={column} order={order} setOrder={setOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {tall && <Gap rows={seen.first} />}
          {shown.map((row, i) => (
            <Row key={id(row)} row={row} at={(tall ? seen.first : 0) + i} columns={columns} id={id} choice={choice} />
          ))}
          {tall && <Gap rows={sorted.length - seen.end} />}
        </tbody>
      </table>
      {sorted.length === 0 && empty}
    </div>
  );
}

// A table of fixed layout gives what is left to the columns without a width, were it nothing.
function least<T>(columns: readonly Column<T>[]): string {
  return `calc(${columns.map((column) => column.width ?? "9rem").join(" + ")})`;
}

function inOrder<T>(rows: readonly T[], columns: readonly Column<T>[], order: Order | undefined): readonly T[] {
  const by = columns.find((column) => column.key === order?.key)?.sort;
  if (by === undefined || order === undefined) return rows;
  const sign = order.down ? -1 : 1;
  return rows.map((row) => [by(row), row] as const)
    .sort(([a], [b]) => (a < b ? -sign : a > b ? sign : 0))
    .map(([, row]) => row);
}

// Tells which rows are in sight; set only when that changes, since every scroll tells.
function useSight(rows: number, tall: boolean) {
  const frame = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ first: 0, end: 0 });
  const look = () => {
    if (!tall || frame.current === null) return;
    const next = inSight(rows, height, frame.current.scrollTop, frame.current.clientHeight);
    setSeen((old) => (old.first === next.first && old.end === next.end ? old : next));
  };
  useLayoutEffect(() => {
    look();
    const watcher = new ResizeObserver(look);
    if (frame.current !== null) watcher.observe(frame.current);
    return () => watcher.disconnect();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- look is made of these two
  }, [rows, tall]);
  return [frame, seen, look] as const;
}

// One cell: were it as wide as all columns, those that narrow screens leave out would take their room.
function Gap({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr className="gap" aria-hidden="true">
      <td style={{ height: rows * height, padding: 0 }} />
    </tr>
  );
}

function Head<T>({ column, order, setOrder }: { column: Column<T>; order: Order | undefined; setOrder: (order: Order) => void }) {
  const mine = order?.key === column.key ? order : undefined;
  const style = { ...(column.width === undefined ? {} : { width: column.width }), ...(column.narrow === undefined ? {} : { "--narrow": column.narrow }) };
  const minor = column.minor === true ? "is-minor" : undefined;
  if (column.sort === undefined) {
    return (
      <th scope="col" className={minor} style={style}>
        {column.title}
      </th>
    );
  }
  return (
    <th scope="col" className={minor} style={style} aria-sort={mine === undefined ? "none" : mine.down ? "descending" : "ascending"}>
      <button type="button" onClick={() => setOrder({ key: column.key, down: mine !== undefined && !mine.down })}>
        {column.title}
        {mine !== undefined && <i className={mine.down ? "p-icon--chevron-down" : "p-icon--chevron-up"} aria-hidden="true" />}
      </button>
    </th>
  );
}

interface RowProps<T> {
  row: T;
  at: number;
  columns: readonly Column<T>[];
  id: (row: T) => string;
  choice: Choice | undefined;
}

function Row<T>({ row, at, columns, id, choice }: RowProps<T>) {
  const name = id(row);
  const chosen = choice?.chosen.has(name) === true;
  return (
    <tr aria-rowindex={at + 2} className={chosen ? "is-chosen" : undefined}>
      {choice !== undefined && (
        <td className="choose">
          <input type="checkbox" aria-label={`Choose ${name}`} checked={chosen} onChange={() => choice.choose(toggled(choice.chosen, name))} />
        </td>
      )}
      {columns.map((column) => (
        <td key={column.key} className={column.minor === true ? "is-minor" : undefined}>
          {column.show(row)}
        </td>
      ))}
    </tr>
  );
}

function toggled(chosen: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(chosen);
  if (!next.delete(name)) next.add(name);
  return next;
}

function ChooseAll<T>({ rows, id, choice }: { rows: readonly T[]; id: (row: T) => string; choice: Choice }) {
  const all = rows.length > 0 && choice.chosen.size >= rows.length;
  return (
    <th scope="col" className="choose">
      <input
        type="checkbox"
        aria-label="Choose all"
        checked={all}
        onChange={() => choice.choose(all ? new Set() : new Set(rows.map(id)))}
      />
    </th>
  );
}
