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
  fields: Readonly<Record<string, string | readonly string[]>>,
): Promise<Client> {
  const filled = (text: string): string =>
    text
      .replaceAll(/\$\{user_config\.(\w+)\}/g, (whole, name: string) => {
        const value = fields[name];
        return typeof value === "string" ? value : whole;
      })
      .replaceAll(/\$\{__dirname\}/g, folder);
  // Anthropic's `replaceVariables` spreads a list among the arguments, and nowhere else.
  const filledArguments = (text: string): readonly string[] => {
    const value = fields[/^\$\{user_config\.(\w+)\}$/.exec(text)?.[1] ?? ""];
    return value === undefined || typeof value === "string" ? [filled(text)] : value;
  };
  const client = new Client({ name: "claude-ai", version: "1" });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: args.flatMap(filledArguments),
      env: environmentWith(
        Object.fromEntries(Object.entries(env).map(([name, text]) => [name, filled(text)])),
      ),
      stderr: "inherit",
    }),
  );
  onTestFinished(() => client.close());
  return client;
}
