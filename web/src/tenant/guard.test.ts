import { expect, test } from "vitest";

import { draftOf, editOf } from "./guard";

test("no rules are empty fields, and empty fields take rules away", () => {
  const edit = editOf(draftOf(undefined));
  expect(edit).toEqual({
    allow: [], deny: [], requests_per_second: 0, burst: 0, per_address_per_second: 0, per_address_burst: 0, max_in_flight: 0, max_body: "", hsts: "",
    security_headers: false,
  });
});

test("rules come back as they were", () => {
  const guard = { allow: ["10.0.0.0/8", "192.0.2.1"], requests_per_second: 2.5, burst: 10, max_body: "2GiB", hsts: "1y", security_headers: true };
  expect(editOf(draftOf(guard))).toMatchObject(guard);
});
