import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Child, startChild } from "./child.js";
import { ownFile } from "./lines.js";
import { pythonWith } from "./python.js";

const readySchema = z.object({ url: z.url(), version: z.string() });

/** The key that callers of the proxy have to send. */
export const LITELLM_KEY = "sk-litellm-test";

/** A running LiteLLM proxy of PyPI. */
export interface LiteLlm extends Pick<Child, "pid" | "stop"> {
  readonly url: string;
}

/**
 * Starts the proxy with this `config.yaml`.
 *
 * @throws CannotRunHere where it cannot be installed; the message says why.
 */
export async function startLiteLlm(python: string, config: string): Promise<LiteLlm> {
  const interpreter = await pythonWith("litellm", python);
  const { firstLine, pid, stop } = await startChild({
    name: "litellm",
    command: interpreter,
    args: (folder) => [ownFile("litellm_proxy.py"), "--config", writtenTo(folder, config)],
    environment: {
      LITELLM_MASTER_KEY: LITELLM_KEY,
      LITELLM_TELEMETRY: "False",
      // Else it fetches a list of prices at its start.
      LITELLM_LOCAL_MODEL_COST_MAP: "True",
    },
  });
  const { url } = readySchema.parse(JSON.parse(firstLine));
  // Its first answer to a key takes seconds, which is not what is tested.
  const headers = { authorization: `Bearer ${LITELLM_KEY}` };
  await (await fetch(`${url}/v1/models`, { headers })).text();
  return { url, pid, stop };
}

function writtenTo(folder: string, config: string): string {
  const path = join(folder, "config.yaml");
  writeFileSync(path, config);
  return path;
}
