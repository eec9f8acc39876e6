import { useEffect, useRef, type MouseEvent, type ReactNode } from "react";

/** A button that opens a small panel; Escape and a click elsewhere close it. */
export function Menu({ label, children }: { label: string; children: ReactNode }) {
  const details = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (e: Event) => {
      const menu = details.current;
      if (menu === null || !menu.open) return;
      if (e instanceof KeyboardEvent) {
        if (e.key !== "Escape") return;
        menu.querySelector("summary")?.focus();
      } else if (e.target instanceof Node && menu.contains(e.target)) return;
      menu.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  // What was chosen is begun; what has fields of its own stays.
  const chosen = (e: MouseEvent<HTMLDivElement>) => {
    if (details.current === null || !(e.target instanceof HTMLButtonElement) || e.target.parentElement !== e.currentTarget) return;
    details.current.open = false;
  };
  return (
    <details className="menu" ref={details}>
      <summary className="p-button">{label}</summary>
      <div className="menu__panel" onClick={chosen}>
        {children}
      </div>
    </details>
  );
}
