import { expect, onTestFinished, test } from "vitest";
import { deadPort } from "../ports.js";
import { temporaryFolder } from "../temporary-folder.js";
import { Executable, run, type Settings } from "./executable.js";
import { hostOn, PROMPT_ANSWER, simulated } from "./simulated.js";

/** The settings of a user with a home of its own, in which no keeper is started: nothing is promised. */
async function user(endpoint: string): Promise<Settings> {
  const home = await temporaryFolder("home-");
  return { HOME: home, USERPROFILE: home, FOUNDRY_ENDPOINT: endpoint, FOUNDRY_KEEP: "auto" };
}

const once = async (settings: Settings) => {
  const { code, stdout, stderr } = await run(["monitor", "--once", "--json"], settings);
  expect(stderr).toBe("");
  return { code, seen: JSON.parse(stdout) };
};

test("monitor shows the service and the running servers of this user, until they end", async () => {
  const simulator = await simulated();
  const settings = await user(simulator.url);
  expect(await once(settings)).toMatchObject({
    code: 0,
    seen: { service: { status: "healthy", endpoint: simulator.url }, servers: [] },
  });

  const host = await hostOn(simulator.url, settings);
  await host.complete({ prompt: "Hello", model: PROMPT_ANSWER });
  const servers = async () => (await once(settings)).seen.servers;
  await expect.poll(servers).toMatchObject([
    {
      host: expect.any(String),
      metrics: { operations: [{ operation: "complete", model: PROMPT_ANSWER, completed: 1 }] },
    },
  ]);
  const { code, stdout } = await run(["monitor"], settings);
  expect(code).toBe(0);
  expect(stdout).toContain("The service is healthy.");
  expect(stdout).toMatch(new RegExp(`complete {2}${PROMPT_ANSWER} +1 +0 `));

  await host.close();
  await expect.poll(servers).toEqual([]);
});

test("monitor --json writes a line a second until Ctrl+C, which is exit code 130", async () => {
  const simulator = await simulated();
  const monitor = new Executable(["monitor", "--json"], await user(simulator.url));
  onTestFinished(() => monitor.destroy());
  const lines = () => monitor.stdout.split("\n").slice(0, -1);
  await monitor.when("two lines", () => (lines().length >= 2 ? true : undefined));
  monitor.signal("SIGINT");
  expect((await monitor.ended).code).toBe(130);
  for (const line of lines()) expect(JSON.parse(line)).toMatchObject({ servers: [] });
});

test("monitor --once ends with 3 where no service answers, and with 1 where it is degraded", async () => {
  const dead = await user(`http://127.0.0.1:${await deadPort()}`);
  expect(await once(dead)).toMatchObject({
    code: 3,
    seen: { service: { status: "unavailable", problems: [{ fix: expect.any(String) }] } },
  });
  const empty = await simulated({ models: [] });
  expect(await once(await user(empty.url))).toMatchObject({
    code: 1,
    seen: { service: { status: "degraded" } },
  });
});

test("monitor refuses unknown flags and arguments", async () => {
  const { code, stdout, stderr } = await run(["monitor", "--live"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/ monitor --help`\./);
});
