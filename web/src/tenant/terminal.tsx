import "@xterm/xterm/css/xterm.css";

import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { useEffect, useRef, useState } from "react";

import { Problem } from "../api/problem";
import type { components } from "../api/schema.gen";
import { Failure } from "../show/nothing";
import { nonced } from "./nonced";
import { useTenant } from "./tenant";

type Result = components["schemas"]["ExecResult"];

/** A shell in a tenant's instance. */
export function TerminalTab() {
  const { name, status } = useTenant();
  const [round, setRound] = useState(0);
  const [end, setEnd] = useState<Result | "lost">();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (box.current === null) return;
    setEnd(undefined);
    return connect(name, box.current, setEnd);
  }, [name, round]);
  return (
    <>
      {status !== "running" && <p>The tenant does not run: there is no shell to be had.</p>}
      {end !== undefined && (
        <div className="tools">
          <span>{end === "lost" ? "The connection is lost." : `The shell ended${end.exit === undefined ? "" : ` with code ${end.exit}`}.`}</span>
          <button onClick={() => setRound((n) => n + 1)}>Open another</button>
        </div>
      )}
      {end !== undefined && end !== "lost" && end.problem !== undefined && <Failure error={new Problem(end.problem, end.problem.status)} />}
      <div className="terminal" ref={box} role="application" aria-label={`Terminal in ${name}`} />
    </>
  );
}

const output = 1;
const errors = 2;

// Binary messages carry a stream each: the first byte tells which.
function connect(name: string, box: HTMLElement, onEnd: (end: Result | "lost") => void): () => void {
  const terminal = new Terminal({ fontFamily: "ui-monospace, Consolas, Menlo, monospace", fontSize: 14, scrollback: 5000, screenReaderMode: true });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  nonced(() => terminal.open(box));
  fit.fit();
  terminal.focus();
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/v1/tenants/${encodeURIComponent(name)}/exec`);
  socket.binaryType = "arraybuffer";
  let over = false;
  const end = (how: Result | "lost") => {
    if (!over) onEnd(how);
    over = true;
  };
  socket.onopen = () => {
    // bash where there is one, else what there is.
    const command = ["/bin/sh", "-c", "command -v bash >/dev/null && exec bash -l; exec sh -l"];
    socket.send(JSON.stringify({ command, tty: true, width: terminal.cols, height: terminal.rows, env: { TERM: "xterm-256color" } }));
  };
  socket.onmessage = (message: MessageEvent<string | ArrayBuffer>) => {
    if (typeof message.data === "string") {
      end(JSON.parse(message.data) as Result);
      return;
    }
    const bytes = new Uint8Array(message.data);
    if (bytes[0] === output || bytes[0] === errors) terminal.write(bytes.subarray(1));
  };
  socket.onclose = () => end("lost");
  const typed = terminal.onData((text) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    const data = new TextEncoder().encode(text);
    const message = new Uint8Array(data.length + 1); // 0: standard input
    message.set(data, 1);
    socket.send(message);
  });
  const resized = terminal.onResize(({ cols, rows }) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ width: cols, height: rows }));
  });
  const watcher = new ResizeObserver(() => fit.fit());
  watcher.observe(box);
  return () => {
    over = true;
    watcher.disconnect();
    typed.dispose();
    resized.dispose();
    socket.close();
    terminal.dispose();
  };
}
