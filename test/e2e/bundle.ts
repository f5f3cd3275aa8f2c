import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { onTestFinished } from "vitest";
import { environmentWith } from "./executable.js";

/** A client of the bundle's server, started as a host does that knows these values of its fields. */
export async function startBundle(
  folder: string,
  {
    args,
    env,
  }: { readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> },
  fields: Readonly<Record<string, string>>,
): Promise<Client> {
  const filled = (text: string): string =>
    text
      .replaceAll(/\$\{user_config\.(\w+)\}/g, (whole, name: string) => fields[name] ?? whole)
      .replaceAll(/\$\{__dirname\}/g, folder);
  const client = new Client({ name: "claude-ai", version: "1" });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: args.map(filled),
      env: environmentWith(
        Object.fromEntries(Object.entries(env).map(([name, text]) => [name, filled(text)])),
      ),
      stderr: "inherit",
    }),
  );
  onTestFinished(() => client.close());
  return client;
}
