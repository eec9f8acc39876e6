import { useState } from "react";

/** A value that this browser keeps. What is no longer of that shape gives the usual one. */
export function useKept<T>(key: string, usual: T, fits: (value: unknown) => value is T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => read(key, usual, fits));
  const keep = (next: T) => {
    localStorage.setItem(`lxdfleet.${key}`, JSON.stringify(next));
    setValue(next);
  };
  return [value, keep];
}

function read<T>(key: string, usual: T, fits: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(`lxdfleet.${key}`) ?? "null");
    return fits(value) ? value : usual;
  } catch {
    return usual;
  }
}

/** Whether a value is a list of words. */
export function isWords(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((v) => typeof v === "string");
}

/** Whether a value is words by name. */
export function isNamed(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every((v) => typeof v === "string");
}
