import { useId, type ReactNode } from "react";

/** A part of a page with a heading. */
export function Box({ title, children }: { title: string; children: ReactNode }) {
  const id = useId();
  return (
    <section className="box" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}
