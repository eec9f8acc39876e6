import { useEffect, useRef, type ReactNode } from "react";

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
  return (
    <details className="menu" ref={details}>
      <summary className="p-button">{label}</summary>
      <div className="menu__panel">{children}</div>
    </details>
  );
}
