import { isDeepStrictEqual } from "node:util";
import { isMembers } from "../../lib/index.js";
import { CannotEdit, type Format, json, type Place, toml, yaml } from "./formats/index.js";
import type { Entry, FormatName, HostKind } from "./hosts.js";
import { ENTRY_NAME, isOurs } from "./server-command.js";

/** What a file becomes; `null`: it has the entry already, or has none to take out. */
type Edit = { readonly text: string; readonly isNew: boolean } | null;

export const FORMATS: Readonly<Record<FormatName, Format>> = { json, toml, yaml };

const BOM = "\uFEFF";

/**
 * The text of a host's file with the server in it.
 *
 * @param entryOf Called with the entry that is there.
 * @throws CannotEdit where the file is not valid, or the entry cannot be written without changing more.
 */
export function withServer(
  text: string,
  host: HostKind,
  entryOf: (before: unknown) => Entry,
): Edit {
  return edited(text, host, (format, plain, place, servers) => {
    const { name } = place;
    const before = servers[name];
    if (before !== undefined && !isOurs(before, name)) {
      throw new CannotEdit(`it has another server with the name "${name}"`);
    }
    const entry = entryOf(before);
    if (isDeepStrictEqual(plainValue(before), plainValue(entry))) return null;
    return {
      text: format.set(plain, place, entry),
      servers: { ...servers, [name]: entry },
      isNew: before === undefined,
    };
  });
}

/** The text of a host's file without the server. */
export function withoutServer(text: string, host: HostKind): Edit {
  return edited(text, host, (format, plain, place, servers) => {
    const { [place.name]: own, ...others } = servers;
    if (!isOurs(own, place.name)) return null;
    return { text: format.remove(plain, place), servers: others, isNew: false };
  });
}

/** The entry that starts this server; `null` where there is none. @throws CannotEdit */
export function serverIn(text: string, host: HostKind): Entry | null {
  const servers = serversIn(objectOf(parsed(text, host)), host.container);
  const name = ownName(servers);
  const entry = servers[name];
  return isOurs(entry, name) ? { ...Object(entry) } : null;
}

/** Whether a file says nothing, not even in a comment. */
export function isBare(text: string, host: HostKind): boolean {
  const value = withoutEmpty(parsed(text, host), host.container);
  return Object.keys(Object(value)).length === 0 && !/\/[/*]|#/.test(text);
}

const parsed = (text: string, { format }: HostKind): unknown =>
  FORMATS[format].parse(text.replace(BOM, "").replaceAll("\r\n", "\n"));

interface Change {
  readonly text: string;
  /** What the file has to say afterwards of its servers, and all else as before. */
  readonly servers: Readonly<Record<string, unknown>>;
  readonly isNew: boolean;
}

function edited(
  text: string,
  host: HostKind,
  change: (
    format: Format,
    plain: string,
    place: Place,
    servers: Readonly<Record<string, unknown>>,
  ) => Change | null,
): Edit {
  const format = FORMATS[host.format];
  const bom = text.startsWith(BOM) ? BOM : "";
  const body = text.slice(bom.length);
  // In a file with both kinds of line ends, each keeps its own.
  const isCrlf = body.includes("\r\n") && !/(?<!\r)\n/.test(body);
  const plain = isCrlf ? body.replaceAll("\r\n", "\n") : body;
  const value = objectOf(format.parse(plain));
  const { container } = host;
  const servers = serversIn(value, container);
  const changed = change(format, plain, { container, name: ownName(servers) }, servers);
  if (changed === null) return null;
  assertSays(format, changed.text, { ...value, [container]: changed.servers }, container);
  const lines = isCrlf ? changed.text.replaceAll("\n", "\r\n") : changed.text;
  return { text: `${bom}${lines}`, isNew: changed.isNew };
}

/** The text was changed by its lines; what it says now must be what was meant. */
function assertSays(format: Format, text: string, value: object, container: string): void {
  const meant = withoutEmpty(plainValue(value), container);
  let said: unknown;
  try {
    said = withoutEmpty(plainValue(format.parse(text)), container);
  } catch {
    said = undefined;
  }
  if (!isDeepStrictEqual(meant, said)) {
    throw new CannotEdit("its form is unusual, so that other settings might be changed");
  }
}

/** An empty map of servers, and none, are the same. */
function withoutEmpty(value: unknown, container: string): unknown {
  if (!isMembers(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(
      ([name, member]) =>
        name !== container || (member !== null && Object.keys(Object(member)).length > 0),
    ),
  );
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (!isMembers(value)) throw new CannotEdit("it is not an object");
  return value;
}

function serversIn(
  value: Readonly<Record<string, unknown>>,
  container: string,
): Readonly<Record<string, unknown>> {
  const servers = value[container] ?? {};
  if (!isMembers(servers)) throw new CannotEdit(`its "${container}" is not an object`);
  return servers;
}

/** The name of the entry that starts this server, whatever its user has named it. */
const ownName = (servers: Readonly<Record<string, unknown>>): string =>
  // Of several the one that `setup` writes.
  [ENTRY_NAME, ...Object.keys(servers)].find((name) => isOurs(servers[name], name)) ?? ENTRY_NAME;

/** Values of parsers, some of which have prototypes or dates of their own, as plain data. */
function plainValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainValue);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Date) return value.toISOString();
  if (!isMembers(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plainValue(each)]));
}
