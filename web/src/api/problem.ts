import type { ProblemDocument } from "./types";

/** What the API says is wrong. Its message is the document's detail, in words for people. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly field: string | undefined;
  readonly hint: string | undefined;
  /** The job that is in the way, with code busy. */
  readonly job: string | undefined;

  constructor(document: Partial<ProblemDocument>, status: number) {
    super(document.detail ?? document.title ?? `the daemon answered with status ${status}`);
    this.name = "Problem";
    this.status = document.status ?? status;
    this.code = document.code ?? "internal";
    this.field = document.field;
    this.hint = document.hint;
    this.job = document.job;
  }
}

/** The daemon does not answer at all. */
export class Unreachable extends Error {
  constructor() {
    super("the daemon does not answer");
    this.name = "Unreachable";
  }
}

/** Gives what was thrown as an error with words. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
