import { headerOf, type RequestHead } from "../../wire/head.js";
import { Core1Error } from "./errors.js";
import { failureAt, JsonFailure, type JsonNode, memberPath, readJson } from "./json-reader.js";

const TYPES = {
  text: "System.String",
  anything: "System.Object",
  whole: "System.Nullable`1[System.Int32]",
  number: "System.Nullable`1[System.Single]",
  flag: "System.Nullable`1[System.Boolean]",
} as const;

/** The members of one object of a request, each read as the type it must have. */
export class Fields {
  constructor(
    private readonly bytes: Buffer,
    private readonly members: ReadonlyMap<string, JsonNode>,
    private readonly path: string,
  ) {}

  /** As it is; `undefined` when it is missing or null. */
  node(name: string): JsonNode | undefined {
    const node = this.members.get(name);
    return node?.kind === "literal" && node.value === null ? undefined : node;
  }

  text(name: string): string | null {
    const node = this.node(name);
    if (node === undefined) return null;
    if (node.kind !== "string" || node.text === null) throw this.wrong(name, TYPES.text);
    return node.text;
  }

  whole(name: string): number | null {
    const node = this.node(name);
    if (node === undefined) return null;
    const value = node.kind === "number" && /^-?\d+$/.test(node.text) ? Number(node.text) : null;
    if (value === null || (value | 0) !== value) throw this.wrong(name, TYPES.whole);
    return value;
  }

  number(name: string): number | null {
    const node = this.node(name);
    if (node === undefined) return null;
    if (node.kind !== "number") throw this.wrong(name, TYPES.number);
    return Number(node.text);
  }

  flag(name: string): boolean | null {
    const node = this.node(name);
    if (node === undefined) return null;
    if (node.kind !== "literal") throw this.wrong(name, TYPES.flag);
    return node.value;
  }

  /** Anything, as long as it can be read. */
  anything(name: string): JsonNode | undefined {
    const node = this.node(name);
    if (node?.kind === "string" && node.text === null) throw this.wrong(name, TYPES.anything);
    return node;
  }

  /** The objects of an array; an item that is none has no members. */
  objects(name: string, type: string): Fields[] {
    const node = this.node(name);
    if (node === undefined) return [];
    if (node.kind !== "array") throw this.wrong(name, type);
    const path = memberPath(this.path, name);
    return node.items.map((item, index) => this.#below(item, `${path}[${index}]`));
  }

  object(name: string): Fields {
    return this.#below(this.node(name), memberPath(this.path, name));
  }

  wrong(name: string, type: string): JsonFailure {
    const end = this.members.get(name)?.end ?? 0;
    return notConverted(this.bytes, type, memberPath(this.path, name), end);
  }

  #below(node: JsonNode | undefined, path: string): Fields {
    const members = node?.kind === "object" ? node.members : new Map<string, JsonNode>();
    return new Fields(this.bytes, members, path);
  }
}

export function notConverted(bytes: Buffer, type: string, path: string, end: number): JsonFailure {
  const what = `The JSON value could not be converted to ${type}.`;
  return failureAt(bytes, what, path, end);
}

/**
 * Reads a request out of its body.
 *
 * @param type what the service calls it.
 * @throws {Core1Error} in the words of the service.
 */
export function readRequest<T>(
  head: RequestHead,
  body: Buffer | null,
  type: string,
  read: (fields: Fields, bytes: Buffer) => T,
): T {
  const sent = headerOf(head, "content-type") ?? "";
  if (!/^application\/([^;]+\+)?json\s*(;|$)/i.test(sent)) {
    throw unreadable(
      400,
      `Unable to read the request as JSON because the request content type '${sent}' is not a known JSON content type.`,
    );
  }
  const bytes = body ?? Buffer.alloc(0);
  try {
    const node = readJson(bytes);
    // What is no object is refused at its first token.
    if (node.kind !== "object") throw notConverted(bytes, type, "$", 1);
    return read(new Fields(bytes, node.members, "$"), bytes);
  } catch (error) {
    if (error instanceof JsonFailure) throw unreadable(500, error.message);
    throw error;
  }
}

function unreadable(status: 400 | 500, reason: string): Core1Error {
  return new Core1Error(status, `Invalid OpenAI JSON request: ${reason}`);
}
