import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import type { Job, JobEvent } from "../api/types";
import { withEvent, type Step } from "./steps";

const names = ["started", "progress", "output", "done", "failed", "undo_started", "undone", "state"];

/** The steps of a job as they happen, from its beginning on. */
export function useSteps(id: string): readonly Step[] {
  const queries = useQueryClient();
  const [steps, setSteps] = useState<readonly Step[]>([]);
  useEffect(() => {
    setSteps([]);
    let last = 0;
    const source = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
    const take = (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as JobEvent;
      if (event.seq <= last) return; // seen before the connection broke
      last = event.seq;
      setSteps((old) => withEvent(old, event));
    };
    for (const name of names) source.addEventListener(name, take);
    source.addEventListener("end", (message: MessageEvent<string>) => {
      source.close();
      const job = JSON.parse(message.data) as Job;
      queries.setQueryData<{ job: Job; events: JobEvent[] }>(["job", id], (old) => ({ events: [], ...old, job }));
    });
    return () => source.close();
  }, [id, queries]);
  return steps;
}
