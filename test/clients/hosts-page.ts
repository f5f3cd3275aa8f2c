import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { table, withPart } from "../../scripts/markdown.js";
import { HOSTS, type Host } from "../hosts/hosts.js";
import { CLIENTS, type Client } from "./clients.js";

const page = fileURLToPath(new URL("../../docs/hosts.md", import.meta.url));

/** What a run has found out about a client or a host. */
interface Found {
  readonly protocol: string;
  readonly clientName: string;
  readonly shown: Shown;
}

export interface ClientRow extends Found {
  readonly client: Client;
}

export interface HostRow extends Found {
  readonly host: Host;
}

export type Shown = "text" | "structuredContent" | "both";

/** The form of the result that a model was shown, where the answer was this text. */
export function shownOf(shown: string, answer: string): Shown {
  if (!shown.includes("completion_id")) return "text";
  return shown.split(answer).length > 2 ? "both" : "structuredContent";
}

const versionOf = ({ packages: [first = ""] }: Client | Host): string =>
  /[@=]([\d.]+)$/.exec(first)?.[1] ?? "";

const code = (text: string): string => `\`${text}\``;

const ranToday = (rows: string): string =>
  `Run of ${new Date().toISOString().slice(0, 10)}.\n\n${rows}`;

const pageText = (): string => readFileSync(page, "utf8").replaceAll("\r\n", "\n");

/** Writes the table of hosts where `WRITE_HOSTS` is set. */
export function writeHosts(rows: readonly HostRow[]): void {
  if (process.env["WRITE_HOSTS"] === undefined) return;
  const part = table(
    ["host", "version", "name it gives", "protocol", "its model is shown"],
    rows.map(({ host, protocol, clientName, shown }) => [
      host.name,
      versionOf(host),
      code(clientName),
      protocol,
      shown,
    ]),
  );
  writeFileSync(page, withPart(pageText(), "hosts", ranToday(part)));
}

/** Writes the tables of clients where `WRITE_HOSTS` is set. */
export function writeClients(rows: readonly ClientRow[]): void {
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
  writeFileSync(page, withPart(withPart(pageText(), "clients", ranToday(part)), "setups", setups));
}

/** Clients and hosts that the page does not have in the version that is tested. */
export function missingHosts(): string[] {
  const lines = pageText().split("\n");
  const rows = [
    ...CLIENTS.map((client) => ({ name: `${client.name} (${client.ecosystem})`, of: client })),
    ...HOSTS.map((host) => ({ name: host.name, of: host })),
  ];
  return rows
    .filter(
      ({ name, of }) => !lines.some((line) => line.startsWith(`| ${name} | ${versionOf(of)} |`)),
    )
    .map(({ name, of }) => `${name} ${versionOf(of)}`);
}
