import { expect, test } from "vitest";

import { safe } from "./address";

test("only what leads to a site becomes a link", () => {
  for (const url of ["https://acme.example/x?y#z", "http://acme.example", "HTTPS://ACME.EXAMPLE"]) expect(safe(url)).toBe(url);
  for (const url of ["javascript:alert(1)", " https://acme.example", "java\nscript:alert(1)", "data:text/html,x", "//acme.example", "https:acme", "", "vbscript:x", "https//x"])
    expect(safe(url)).toBeUndefined();
});
