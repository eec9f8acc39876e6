import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from "react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { Problem, asError } from "../api/problem";
import type { Job } from "../api/types";
import { jobQuery } from "../jobs/query";
import { sentence } from "../show/nothing";

interface Notice {
  id: number;
  title: string;
  tone: "positive" | "negative" | "information";
  text?: string;
  job?: string;
}

interface Notices {
  /** Says that something is done. */
  done: (title: string) => void;
  /** Says what went wrong. */
  failed: (title: string, thrown: unknown) => void;
  /** Follows a job to its end. */
  follow: (title: string, job: Job) => void;
}

const NoticesContext = createContext<Notices | undefined>(undefined);

/** Tells what became of what the viewer asked for. */
export function useNotices(): Notices {
  const notices = useContext(NoticesContext);
  if (notices === undefined) throw new Error("useNotices is for what is below NoticeBoard");
  return notices;
}

const lasts = 6000;
let numbers = 0;

export function NoticeBoard({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<readonly Notice[]>([]);
  const drop = useCallback((id: number) => setShown((old) => old.filter((n) => n.id !== id)), []);
  const notices = useMemo((): Notices => {
    const add = (notice: Omit<Notice, "id">) => {
      const id = ++numbers;
      setShown((old) => [...old.slice(-4), { ...notice, id }]);
      if (notice.tone === "positive") setTimeout(() => drop(id), lasts);
    };
    return {
      done: (title) => add({ title, tone: "positive" }),
      failed: (title, thrown) => add(failure(title, thrown)),
      follow: (title, job) => add({ title, tone: "information", job: job.id }),
    };
  }, [drop]);
  return (
    <NoticesContext value={notices}>
      {children}
      <div className="notices" role="status" aria-live="polite">
        {shown.map((notice) =>
          notice.job === undefined ? (
            <Card key={notice.id} notice={notice} drop={drop} />
          ) : (
            <JobCard key={notice.id} notice={notice} job={notice.job} drop={drop} />
          ),
        )}
      </div>
    </NoticesContext>
  );
}

function failure(title: string, thrown: unknown): Omit<Notice, "id"> {
  const error = asError(thrown);
  const hint = error instanceof Problem && error.hint !== undefined ? ` ${sentence(error.hint)}` : "";
  const notice = { title, tone: "negative" as const, text: sentence(error.message) + hint };
  return error instanceof Problem && error.job !== undefined ? { ...notice, job: error.job } : notice;
}

function Card({ notice, drop, children }: { notice: Notice; drop: (id: number) => void; children?: ReactNode }) {
  return (
    <div className={`p-notification--${notice.tone}`}>
      <div className="p-notification__content">
        <h5 className="p-notification__title">{notice.title}</h5>
        <p className="p-notification__message">{children ?? notice.text}</p>
        <button className="p-notification__close" onClick={() => drop(notice.id)}>
          Close
        </button>
      </div>
    </div>
  );
}

function JobCard({ notice, job, drop }: { notice: Notice; job: string; drop: (id: number) => void }) {
  const { data } = useQuery(jobQuery(job));
  const state = data?.job.state;
  const tone = state === "done" ? "positive" : data?.job.finished === true ? "negative" : "information";
  const shown: Notice = notice.tone === "negative" ? notice : { ...notice, tone };
  return (
    <Card notice={shown} drop={drop}>
      {notice.text} {data?.job.error !== undefined && `${sentence(data.job.error)} `}
      <Link to={`/jobs/${job}`}>{state === undefined ? "Job" : `Job ${state}`}</Link>
    </Card>
  );
}
