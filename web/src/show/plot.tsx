import "uplot/dist/uPlot.min.css";

import { useEffect, useRef } from "react";
import UPlot from "uplot";

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
}

/** Lines over time. */
export function Plot({ title, at, lines }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  const names = lines.map((line) => `${line.name} ${line.colour}`).join();
  useEffect(() => {
    const el = box.current;
    if (el === null) return;
    const made = make(el, lines);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize({ width: el.clientWidth, height: 180 }));
    watcher.observe(el);
    return () => {
      watcher.disconnect();
      made.destroy();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- made anew where other lines are shown, not other values
  }, [names]);
  useEffect(() => {
    plot.current?.setData([[...at], ...lines.map((line) => [...line.values])]);
  }, [at, lines]);
  const now = lines.map((line) => `${line.name} ${(line.values.at(-1) ?? 0).toFixed(1)}`).join(", ");
  return (
    <div className="box plot">
      <h3>{title}</h3>
      <div ref={box} role="img" aria-label={`${title}: ${now}`} />
    </div>
  );
}

function make(el: HTMLElement, lines: readonly Line[]): UPlot {
  const axis = { stroke: () => getComputedStyle(el).color, grid: { stroke: "#8883", width: 1 }, ticks: { stroke: "#8883" } };
  return new UPlot(
    {
      width: el.clientWidth,
      height: 180,
      legend: { show: true, live: true },
      cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [axis, { ...axis, size: 45 }],
      series: [{}, ...lines.map((line) => ({ label: line.name, stroke: line.colour, width: 2, fill: `${line.colour}22` }))],
    },
    [[], ...lines.map(() => [])],
    el,
  );
}
