import type { ReactNode } from "react";

/** The page of somebody who is not in yet. */
export function Gate({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className="gate">
      <div className="box">
        <div className="side__brand">
          <img src="/ui/favicon.svg" alt="" /> lxdfleet
        </div>
        <h1 className="p-heading--4">{title}</h1>
        {children}
      </div>
    </main>
  );
}
