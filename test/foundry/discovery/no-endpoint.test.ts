import { describe, expect, it } from "vitest";
import { FoundryCli } from "../../../src/foundry/cli/foundry-cli.js";
import { type Attempt, withoutAttempts } from "../../../src/foundry/discovery/attempt.js";
import { noEndpointError, type Situation } from "../../../src/foundry/discovery/no-endpoint.js";
import type { Machine } from "../../../src/platform/machine.js";

const PLATFORMS = ["win32", "darwin", "linux"] as const;
const cli = new FoundryCli("/somewhere/foundry", { platform: "linux", environment: {} });

const machine = (platform: NodeJS.Platform): Machine => ({
  platform,
  arch: "arm64",
  environment: {},
  home: "/home/somebody",
});

const status = (outcome: string): Attempt => ({
  what: "`foundry server status`",
  outcome,
  ok: false,
});

/** Locations that are usually empty. */
const ELSEWHERE: readonly Attempt[] = [
  { what: "daemon.json", outcome: "is not there", ok: false },
  {
    what: "the known ports 5272, 5273, 5764, 39839, 22334",
    outcome: "nothing listens there",
    ok: false,
  },
];

const SITUATIONS: readonly (readonly [Situation, Attempt])[] = [
  [
    { kind: "no_cli" },
    { what: "`foundry`", outcome: "is not installed, or not where it could be found", ok: false },
  ],
  [{ kind: "not_running", cli, willStart: true }, status("says that it is not running")],
  [{ kind: "not_running", cli, willStart: false }, status("says that it is not running")],
  [{ kind: "starting", cli }, status("says that it is starting")],
  [
    { kind: "start_failed", cli, verb: "start" },
    { what: "`foundry server start`", outcome: "was run, but ended with exit code 1", ok: false },
  ],
  [
    { kind: "start_late", cli },
    {
      what: "`foundry server start`",
      outcome: "was run, but no service answered within 60 s",
      ok: false,
    },
  ],
  [
    { kind: "dead_listener", cli, willStart: false },
    status("says that it runs at http://127.0.0.1:52364, but nothing listens there"),
  ],
  [
    { kind: "silent", cli },
    status(
      "says that it runs at http://127.0.0.1:52364, but what listens there did not answer within 5 s",
    ),
  ],
  [{ kind: "embedded_later" }, status("says that it is not running")],
  [{ kind: "embedded_missing" }, status("says that it is not running")],
];

const errorOf = (situation: Situation, attempts: readonly Attempt[], platform: NodeJS.Platform) =>
  noEndpointError(situation, attempts, machine(platform), { mayEmbed: true, isCliSet: false });

describe("the error of a search that found nothing", () => {
  it.each(PLATFORMS)("is short enough for an agent's context in every situation on %s", (on) => {
    for (const [situation, attempt] of SITUATIONS) {
      const { message, action } = errorOf(situation, [attempt, ...ELSEWHERE], on);

      expect(`${message} ${action}`.length, situation.kind).toBeLessThanOrEqual(600);
    }
  });

  it("omits usually empty locations, and what its headline already says", () => {
    const stopped = status("says that it is not running");
    const situation: Situation = { kind: "not_running", cli, willStart: false };

    expect(errorOf(situation, [stopped, ...ELSEWHERE], "linux").message).toBe(
      "Foundry Local is installed, but not running.",
    );
  });

  it("names the failed command, such as a restart", () => {
    const restart: Situation = { kind: "start_failed", cli, verb: "restart" };

    const { message, action } = errorOf(restart, [], "linux");

    expect(message).toBe("Foundry Local could not be restarted.");
    expect(action).toContain("Run `foundry server restart`");
  });

  it("reports that the option `cliPath` names no program that could be started", () => {
    const attempt = status("could not be started: there is no such program");
    const facts = { mayEmbed: true, isCliSet: true };

    const { message, action, retryable } = noEndpointError(
      { kind: "cli_unstartable" },
      [attempt],
      machine("linux"),
      facts,
    );

    expect(message).toMatch(
      /^The program that the option `cliPath` is set to could not be started\./,
    );
    expect(action).toMatch(/^Set the option `cliPath` to the path/);
    expect(retryable).toBe(false);
  });

  it("does not present the missing SDK as the cause", () => {
    const sdk: Attempt = {
      what: "foundry-local-sdk",
      outcome: "is not installed beside foundry-local-mcp",
      ok: false,
    };

    expect(errorOf({ kind: "no_cli" }, [sdk, ...ELSEWHERE], "linux").message).toBe(
      "No Foundry Local was found, and its command line is not installed.",
    );
  });

  it("lists what was tried where that adds information", () => {
    const said = status("ended with exit code 1");
    const stale: Attempt = {
      what: "daemon.json",
      outcome: "is stale: the process that it names has ended",
      ok: false,
    };

    const { message } = errorOf({ kind: "cli_failed", cli }, [said, stale], "win32");

    expect(message).toContain(
      "Tried: `foundry server status`: ended with exit code 1; daemon.json: is stale",
    );
    expect(withoutAttempts(message)).toBe(
      "Foundry Local's command line does not say whether it runs.",
    );
  });
});
