import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { ERRORS_LOGGED_PERIOD_MS, Lazy, MOST_ERRORS_LOGGED } from "../../src/lib/index.js";
import { silentLogger } from "../../src/log.js";
import { reporterOf } from "../../src/mcp/server.js";

it("logs the first protocol errors of a period, and the number of omitted ones", async () => {
  const logged: object[] = [];
  let now = 0;
  const log = { ...silentLogger, warn: (fields: object) => void logged.push(fields) };
  const report = reporterOf(new Lazy(async () => ({ log })), () => now);
  for (let n = 0; n < MOST_ERRORS_LOGGED + 1000; n++) report(new Error(`error ${n}`));
  await setImmediate();
  expect(logged).toHaveLength(MOST_ERRORS_LOGGED);

  now = ERRORS_LOGGED_PERIOD_MS;
  report(new Error("next"));
  report(new Error("last"));
  await setImmediate();
  expect(logged.slice(MOST_ERRORS_LOGGED)).toEqual([
    { detail: "next", notLogged: 1000 },
    { detail: "last" },
  ]);
});
