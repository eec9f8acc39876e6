import { expect, test } from "vitest";

import type { Setting } from "../api/types";
import { found, originOf, valueOf } from "./found";

function setting(name: string, more: Partial<Setting> = {}): Setting {
  return { name, value: "", default: "", about: "", origin: "default", hidden: false, ...more };
}

const all = [
  setting("data_dir", { value: "/var/lib/lxdfleet", about: "Holds the database." }),
  setting("proxy.https", { value: ":8443", default: ":443", origin: "file", from: "/etc/lxdfleet/lxdfleet.yaml:3:3", about: "Address and port for HTTPS." }),
  setting("socket.path", { value: "/run/x", origin: "flag", from: "--socket" }),
  setting("s3.access_key", { origin: "environment", from: "AWS_ACCESS_KEY_ID", hidden: true }),
];

test.each([
  ["everything", "", false, ["data_dir", "proxy.https", "socket.path", "s3.access_key"]],
  ["what somebody set", "", true, ["proxy.https", "socket.path", "s3.access_key"]],
  ["a part of the name", "PROXY", false, ["proxy.https"]],
  ["what it does", "database", false, ["data_dir"]],
  ["words that must all be there", "https port", false, ["proxy.https"]],
  ["a value", "/run", false, ["socket.path"]],
  ["where it comes from", "variable", false, ["s3.access_key"]],
  ["nothing", "weather", false, []],
])("%s", (_, search, given, names) => {
  expect(found(all, search, given).map((s) => s.name)).toEqual(names);
});

test("origins in words", () => {
  expect(all.map(originOf)).toEqual(["default", "/etc/lxdfleet/lxdfleet.yaml:3:3", "flag --socket", "variable AWS_ACCESS_KEY_ID"]);
});

test("what is secret is set, and not shown", () => {
  expect(valueOf(setting("s3.access_key", { hidden: true }))).toBe("set, and not shown");
  expect(valueOf(setting("dns.provider"))).toBe("empty");
  expect(valueOf(setting("store.dsn", { value: "mysql://fleet:xxxxx@tcp(db)/x", hidden: true }))).toBe("mysql://fleet:xxxxx@tcp(db)/x");
});
