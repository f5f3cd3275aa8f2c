import { copyFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { answersFromJson, startSimulator } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import ANSWERS from "../../examples/answers.json" with { type: "json" };
import { CannotRunHere } from "../installed.js";
import { temporaryFolder } from "../temporary-folder.js";
import { CLIENTS } from "./clients.js";
import { fromNpm, fromPyPi, newerNode } from "./packages.js";
import { offlineEnvironment, outputOf } from "./run-client.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const example = (file: string): string => join(ROOT, "examples", file);

/** The versions that the other tests use. */
const packagesOf = (client: string): readonly string[] =>
  CLIENTS.find(({ name }) => name === client)?.packages ?? [];

/** An example in a project that has installed this package and those of a framework. */
const inProject =
  (client: string, ...more: readonly string[]) =>
  async (file: string): Promise<readonly string[]> => {
    const node = await newerNode();
    const project = await fromNpm([...packagesOf(client), ...more]);
    const link = join(project, "node_modules", "foundry-local-mcp");
    await symlink(ROOT, link, "junction").catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await copyFile(example(file), join(project, file));
    return [node, join(project, file)];
  };

test.for([
  [
    "langchain.js",
    inProject("@langchain/mcp-adapters", "@langchain/openai@1.6.0"),
    "It wrote: Oslo lies between a fjord and a forest.",
  ],
  [
    "ai-sdk.js",
    inProject("@ai-sdk/mcp", "@ai-sdk/openai-compatible@3.0.92"),
    "It wrote: Oslo lies between a fjord and a forest.",
  ],
  [
    "orchestrator.py",
    async (file: string) => [await fromPyPi(packagesOf("mcp 2.x, auto")), example(file)],
    "Ten minutes of reading aloud a day teach a child new words.\n\nRead what the child chooses.",
  ],
] as const)("examples/%s runs on the simulator", async ([file, installed, wanted], { skip }) => {
  const command = await installed(file).catch((error: unknown) => {
    if (error instanceof CannotRunHere) return error.message;
    throw error;
  });
  if (typeof command === "string") return skip(command);
  const [program = "", script = ""] = command;
  const simulator = await startSimulator({ answers: answersFromJson(ANSWERS) });
  onTestFinished(() => simulator.close());
  const folder = await temporaryFolder("foundry-local-mcp-example-");

  const stdout = await outputOf(program, [script, simulator.url], offlineEnvironment(folder));

  expect(stdout.replaceAll("\r\n", "\n").trimEnd()).toBe(wanted);
});
