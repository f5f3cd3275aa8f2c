import { expect, it } from "vitest";
import { ERRORS_LOGGED_PERIOD_MS, MOST_ERRORS_LOGGED } from "../../../src/lib/limits.js";
import { LogThrottle } from "../../../src/mcp/transport/log-throttle.js";

it("logs the first warnings of a period, and the number of omitted ones", () => {
  const logged: object[] = [];
  let now = 0;
  const throttle = new LogThrottle({ warn: (fields) => void logged.push(fields) }, () => now);
  for (let n = 0; n < MOST_ERRORS_LOGGED + 1000; n++) throttle.warn({ n }, "bad");
  expect(logged).toHaveLength(MOST_ERRORS_LOGGED);

  now = ERRORS_LOGGED_PERIOD_MS;
  throttle.warn({ n: "next" }, "bad");
  throttle.warn({ n: "last" }, "bad");
  expect(logged.slice(MOST_ERRORS_LOGGED)).toEqual([{ n: "next", notLogged: 1000 }, { n: "last" }]);
});
