import { useState } from "react";

export type Theme = "light" | "dark" | "system";
const key = "lxdfleet.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function saved(): Theme {
  const value = localStorage.getItem(key);
  return value === "light" || value === "dark" ? value : "system";
}

function apply(theme: Theme): void {
  const on = theme === "dark" || (theme === "system" && dark.matches);
  document.documentElement.classList.toggle("is-dark", on);
  document.documentElement.style.colorScheme = on ? "dark" : "light";
}

apply(saved()); // before anything is drawn
dark.addEventListener("change", () => apply(saved()));

/** The viewer's theme, kept in this browser. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(saved);
  const set = (next: Theme) => {
    localStorage.setItem(key, next);
    apply(next);
    setTheme(next);
  };
  return [theme, set];
}
