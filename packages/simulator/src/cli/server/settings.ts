import type { Call } from "../call.js";
import type { Installation } from "../installation.js";
import { refused } from "./refusal.js";

export async function cacheLocation(call: Call, installation: Installation): Promise<number> {
  const path = (await installation.simulator()).modelCachePath;
  if (call.json) call.printJson({ path, userSet: false });
  else call.print(path);
  return 0;
}

export async function showConfig(call: Call, installation: Installation): Promise<number> {
  const { port } = installation;
  const path = (await installation.simulator()).modelCachePath;
  const rows = [
    { key: "port", value: port === null ? "auto" : String(port), userSet: port !== null },
    { key: "cache-directory", value: path, userSet: false },
  ];
  if (call.json) call.printJson(rows);
  else call.print(...rows.map(({ key, value }) => `${key.padEnd(16)} ${value}`));
  return 0;
}

export function setConfig(call: Call, installation: Installation): number {
  const [, , key, value = ""] = call.words;
  if (key !== "port") return refused(call, `Unknown configuration key '${key ?? ""}'.`);
  installation.port = value === "auto" ? null : Number(value) || null;
  call.print(`● port is ${value}. It takes effect when the server is restarted.`);
  return 0;
}

export function resetConfig(call: Call, installation: Installation): number {
  installation.port = null;
  call.print("● The configuration is reset.");
  return 0;
}
