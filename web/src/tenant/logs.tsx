import { useEffect, useRef, useState } from "react";

import { Problem, asError } from "../api/problem";
import type { ProblemDocument } from "../api/types";
import { Failure } from "../show/nothing";
import { useTenant } from "./tenant";

/** The lines that are kept in sight; older ones go. */
const most = 5000;

/** The system log of a tenant's instance, as it is written. */
export function Logs() {
  const { name } = useTenant();
  const [unit, setUnit] = useState("");
  const [wanted, setWanted] = useState("");
  const [search, setSearch] = useState("");
  const { text, error, again } = useLog(name, wanted);
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  const lines = search === "" ? text : text.filter((line) => line.toLowerCase().includes(search.toLowerCase()));
  useEffect(() => {
    if (atEnd.current) box.current?.scrollTo(0, box.current.scrollHeight);
  }, [lines]);
  const onScroll = () => {
    const el = box.current;
    if (el !== null) atEnd.current = el.scrollHeight - el.scrollTop - el.clientHeight < 40;
  };
  return (
    <>
      <form
        className="tools"
        onSubmit={(e) => {
          e.preventDefault();
          setWanted(unit.trim());
        }}
      >
        <input type="search" aria-label="Search in the log" placeholder="Search" value={search} onChange={(e) => setSearch(e.target.value)} />
        <input type="text" style={{ maxWidth: "14rem" }} aria-label="Only this unit" placeholder="Unit, such as nginx" value={unit} onChange={(e) => setUnit(e.target.value)} />
        <button>Show</button>
      </form>
      {error !== undefined && <Failure error={error} again={again} />}
      <pre className="text log" ref={box} tabIndex={0} role="log" aria-label={`Log of ${name}`} onScroll={onScroll}>
        {lines.length === 0 ? "Nothing yet." : lines.join("\n")}
      </pre>
    </>
  );
}

function useLog(name: string, unit: string) {
  const [text, setText] = useState<readonly string[]>([]);
  const [error, setError] = useState<Error>();
  const [round, setRound] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setText([]);
    setError(undefined);
    read(name, unit, stop.signal, (lines) => setText((old) => [...old, ...lines].slice(-most))).catch((thrown: unknown) => {
      if (!stop.signal.aborted) setError(asError(thrown));
    });
    return () => stop.abort();
  }, [name, unit, round]);
  return { text, error, again: () => setRound((n) => n + 1) };
}

async function read(name: string, unit: string, signal: AbortSignal, onLines: (lines: string[]) => void): Promise<void> {
  const query = new URLSearchParams({ follow: "true", lines: "500" });
  if (unit !== "") query.set("unit", unit);
  const response = await fetch(`/v1/tenants/${encodeURIComponent(name)}/logs?${query.toString()}`, { signal });
  if (!response.ok || response.body === null) {
    throw new Problem((await response.json()) as ProblemDocument, response.status);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const lines = (rest + chunk.value).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) onLines(lines);
  }
  if (rest !== "") onLines([rest]);
}
