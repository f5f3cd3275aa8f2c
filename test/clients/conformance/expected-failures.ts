export const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
type Revision = (typeof REVISIONS)[number];

/** A scenario, or one of its checks as `scenario:check`, and why it is not passed. */
type Listed = Readonly<Record<string, string>>;

/** Scenarios that call tools, resources and prompts of the suite, which only its fixtures have. */
const FIXTURES = "asks for a tool, resource or prompt of the suite's own";
const NO_TASKS = "asks for tools of the suite's own that answer with tasks";

const listed = (reason: string, names: readonly string[]): Listed =>
  Object.fromEntries(names.map((name) => [name, reason]));

const TASKS = listed(NO_TASKS, [
  "tasks-lifecycle",
  "tasks-capability-negotiation",
  "tasks-wire-fields",
  "tasks-request-state-removal",
  "tasks-mrtr-input",
  "tasks-request-headers",
  "tasks-dispatch-and-envelope",
  "tasks-required-task-error",
  "tasks-mrtr-composition",
]);

/** In both revisions. */
const PRODUCT: Listed = {
  ...listed(FIXTURES, [
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-error",
    "tools-call-with-progress",
    "resources-read-text",
    "resources-read-binary",
    "resources-templates-read",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-embedded-resource",
    "prompts-get-with-image",
    "json-schema-2020-12",
  ]),
};

export const EXPECTED_FAILURES: Readonly<
  Record<"product" | "fixtures", Readonly<Record<Revision, Listed>>>
> = {
  product: {
    "2025-11-25": {
      ...PRODUCT,
      ...listed("the server declares no logging over MCP, which is deprecated", [
        "logging-set-level",
      ]),
      ...listed(FIXTURES, [
        "tools-call-with-logging",
        "tools-call-sampling",
        "tools-call-elicitation",
        "elicitation-sep1034-defaults",
        "elicitation-sep1330-enums",
        "resources-subscribe",
        "resources-unsubscribe",
        "server-sse-polling",
      ]),
    },
    "2026-07-28": {
      ...PRODUCT,
      ...TASKS,
      ...listed(FIXTURES, [
        "server-stateless:sep-2575-server-rejects-undeclared-capability",
        "server-stateless:sep-2575-missing-capability-http-400",
        "server-stateless:sep-2575-http-server-no-independent-requests-on-stream",
        "server-stateless:sep-2575-server-no-log-without-loglevel",
        "http-custom-header-server-validation",
        "input-required-result-basic-elicitation",
        "input-required-result-basic-list-roots",
        "input-required-result-basic-sampling",
        "input-required-result-capability-check",
        "input-required-result-ignore-extra-params",
        "input-required-result-missing-input-response",
        "input-required-result-multi-round",
        "input-required-result-multiple-input-requests",
        "input-required-result-non-tool-request",
        "input-required-result-request-state",
        "input-required-result-result-type",
        "input-required-result-tampered-state",
      ]),
    },
  },
  fixtures: {
    "2025-11-25": {},
    "2026-07-28": {},
  },
};

/** Failures that no entry covers, and entries that cover no failure. */
export function unexpected(failures: readonly string[], expected: Listed) {
  const covers = (entry: string, failure: string): boolean =>
    failure === entry || failure.startsWith(`${entry}:`);
  const entries = Object.keys(expected);
  return {
    notListed: failures.filter((failure) => !entries.some((entry) => covers(entry, failure))),
    listedInVain: entries.filter((entry) => !failures.some((failure) => covers(entry, failure))),
  };
}
