import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import UPlot from "uplot";

import { bytes } from "./format";

export interface Line {
  name: string;
  values: readonly (number | null)[];
  colour: string;
}

interface Props {
  title: string;
  /** Seconds since 1970. */
  at: readonly number[];
  lines: readonly Line[];
  /** Writes a value with its unit. */
  text?: (value: number) => string;
  /** What the scale reaches at least. */
  least?: number;
}

const height = 180;
const powers = Array.from({ length: 50 }, (_, i) => 2 ** i); // bytes are written in units of these
const plain = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
const clock = (seconds: number) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

/** Lines over time. */
export function Plot({ title, at, lines, text = plain, least = 1 }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const names = lines.map((line) => `${line.name} ${line.colour}`).join() + String(least);
  useEffect(() => {
    const el = box.current;
    if (el === null) return;
    const made = make(el, lines, text, least);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: el.clientWidth, height }));
    watcher.observe(el);
    const theme = new MutationObserver(() => made.redraw()); // its axes have the text's colour
    theme.observe(document.documentElement, { attributeFilter: ["class"] });
    return () => {
      theme.disconnect();
      watcher.disconnect();
      made.destroy();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- made anew where other lines are shown, not other values
  }, [names]);
  useEffect(() => {
    plot.current?.setData([[...at], ...lines.map((line) => [...line.values])]);
    // After a plot was made anew it has no data yet.
  }, [at, lines, names]);
  const now = lines.map((line) => `${line.name} ${written(line.values.findLast((value) => value !== null), text)}`).join(", ");
  return (
    <figure className="box plot">
      <figcaption>{title}</figcaption>
      <div ref={box} role="img" aria-label={`${title}: ${now}`} />
      {at.length < 2 && <p className="u-text--muted">{at.length === 0 ? "Nothing was measured yet." : "Measured once so far."}</p>}
    </figure>
  );
}

function written(value: number | null | undefined, text: (value: number) => string): string {
  return value === null || value === undefined ? "–" : text(value);
}

function make(el: HTMLElement, lines: readonly Line[], text: (value: number) => string, least: number): UPlot {
  const axis = { stroke: () => getComputedStyle(el).color, grid: { stroke: "#8883", width: 1 }, ticks: { stroke: "#8883" } };
  return new UPlot(
    {
      width: el.clientWidth,
      height,
      legend: { show: true, live: true },
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, __, max) => [0, Math.max(least, max * 1.1)] } },
      axes: [
        { ...axis, space: 90, values: (_, ticks) => ticks.map(clock) },
        { ...axis, size: 70, values: (_, ticks) => ticks.map(text), ...(text === bytes ? { incrs: powers } : {}) },
      ],
      series: [
        { label: "at", value: (plot, at: number | null) => written(at ?? plot.data[0].at(-1), clock) },
        ...lines.map((line) => ({
          label: line.name,
          stroke: line.colour,
          width: 2,
          fill: `${line.colour}22`,
          // What the cursor is at, else the latest.
          value: (plot: UPlot, value: number | null, line: number) => written(plot.cursor.idx == null ? plot.data[line]?.at(-1) : value, text),
        })),
      ],
    },
    [[], ...lines.map(() => [])],
    el,
  );
}
