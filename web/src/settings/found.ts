import type { Setting } from "../api/types";

/** The settings in which all words of the search are; of them only those that somebody set, where that is wanted. */
export function found(all: readonly Setting[], search: string, given: boolean): Setting[] {
  const words = search.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return all.filter((setting) => {
    if (given && setting.origin === "default") return false;
    const text = `${setting.name} ${setting.value} ${setting.about} ${originOf(setting)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** Where a setting comes from, in words. */
export function originOf(setting: Setting): string {
  const from = setting.from ?? "";
  switch (setting.origin) {
    case "default":
      return "default";
    case "file":
      return from;
    case "environment":
      return `variable ${from}`;
    case "flag":
      return `flag ${from}`;
  }
}

/** What a setting is, without what may not be shown. */
export function valueOf(setting: Setting): string {
  if (setting.value === "") return setting.hidden ? "set, and not shown" : "empty";
  return setting.value;
}
