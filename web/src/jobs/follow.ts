import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import type { Job, JobEvent } from "../api/types";
import { isOfMany } from "./outcomes";
import { withEvent, type Step } from "./steps";

const names = ["started", "progress", "output", "done", "failed", "undo_started", "undone", "state"];

const moment = 1000; // milliseconds

/** The steps of a job as they happen, from its beginning on. */
export function useSteps(id: string): readonly Step[] {
  const queries = useQueryClient();
  const [steps, setSteps] = useState<readonly Step[]>([]);
  useEffect(() => {
    setSteps([]);
    let last = 0;
    // How far a job for many tenants is with each, is read anew when it has said something, once per moment.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const reread = () => {
      timer = undefined;
      void queries.invalidateQueries({ queryKey: ["job", id] });
    };
    const source = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
    const take = (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as JobEvent;
      if (event.seq <= last) return; // seen before the connection broke
      last = event.seq;
      setSteps((old) => withEvent(old, event));
      const known = queries.getQueryData<{ job: Job }>(["job", id]);
      if (known !== undefined && isOfMany(known.job) && event.type === "progress") timer ??= setTimeout(reread, moment);
    };
    for (const name of names) source.addEventListener(name, take);
    source.addEventListener("end", (message: MessageEvent<string>) => {
      source.close();
      clearTimeout(timer);
      const job = JSON.parse(message.data) as Job;
      queries.setQueryData<{ job: Job; events: JobEvent[] }>(["job", id], (old) => ({ events: [], ...old, job }));
    });
    return () => {
      clearTimeout(timer);
      source.close();
    };
  }, [id, queries]);
  return steps;
}
