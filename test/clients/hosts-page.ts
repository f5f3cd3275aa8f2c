import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { table, withPart } from "../../scripts/markdown.js";
import { CLIENTS, type Client } from "./clients.js";

const page = fileURLToPath(new URL("../../docs/hosts.md", import.meta.url));

/** What a run has found out about a client. */
export interface HostRow {
  readonly client: Client;
  readonly protocol: string;
  readonly clientName: string;
  readonly shown: Shown;
}

export type Shown = "text" | "structuredContent" | "both";

/** Which form of a result is in what a model was shown, where the answer was this text. */
export function shownOf(shown: string, answer: string): Shown {
  if (!shown.includes("completion_id")) return "text";
  return shown.split(answer).length > 2 ? "both" : "structuredContent";
}

const versionOf = ({ packages: [first = ""] }: Client): string =>
  /[@=]([\d.]+)$/.exec(first)?.[1] ?? "";

const code = (text: string): string => `\`${text}\``;

/** Writes the table of the page where `WRITE_HOSTS` is set. */
export function writeHosts(rows: readonly HostRow[]): void {
  if (process.env["WRITE_HOSTS"] === undefined) return;
  const sorted = CLIENTS.flatMap((client) => rows.find((row) => row.client === client) ?? []);
  const part = table(
    ["client", "version", "name it gives", "protocol", "limit of a call", "its model is shown"],
    sorted.map(({ client, protocol, clientName, shown }) => [
      `${client.name} (${client.ecosystem})`,
      versionOf(client),
      code(clientName),
      protocol,
      `${client.limitSeconds === null ? "none" : `${client.limitSeconds} s`}: ${client.source}`,
      client.isWithoutAgent === true ? `${shown} (no agent)` : shown,
    ]),
  );
  const date = new Date().toISOString().slice(0, 10);
  const text = readFileSync(page, "utf8").replaceAll("\r\n", "\n");
  const clientsOf = (setup: string): string => {
    const same = sorted.filter(({ client }) => client.setup === setup);
    return [...new Set(same.map(({ client }) => client.name.replace(/,.*/, "")))].join(", ");
  };
  const setups = table(
    ["client", "how it starts the server"],
    [...new Set(sorted.map(({ client }) => client.setup))].map((setup) => [
      clientsOf(setup),
      code(setup),
    ]),
  );
  writeFileSync(
    page,
    withPart(withPart(text, "clients", `Run of ${date}.\n\n${part}`), "setups", setups),
  );
}

/** Clients that the page does not have in the version that is tested. */
export function missingHosts(): string[] {
  const lines = readFileSync(page, "utf8").split("\n");
  return CLIENTS.filter((client) => {
    const start = `| ${client.name} (${client.ecosystem}) | ${versionOf(client)} |`;
    return !lines.some((line) => line.startsWith(start));
  }).map((client) => `${client.name} ${versionOf(client)}`);
}
