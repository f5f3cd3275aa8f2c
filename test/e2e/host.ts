import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import type { JsonSchemaType, JsonSchemaValidator } from "@modelcontextprotocol/sdk/validation";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv";
import * as z from "zod";
import { environmentWith, MAIN, type Settings } from "./executable.js";

export interface Answer {
  readonly isError: boolean;
  /** The code of a failure. */
  readonly code: string | null;
  readonly text: string;
  /** The structured content. */
  readonly result: Readonly<Record<string, unknown>>;
}

export interface ProgressNote {
  readonly progress: number;
  /** The value of `progress` at the end, where it is reported. */
  readonly total?: number;
  readonly message: string;
}

export interface CallSettings {
  readonly signal?: AbortSignal;
  /** The time limit of the call, after which the client cancels it. */
  readonly timeoutMs?: number;
  readonly onProgress?: (note: ProgressNote) => void;
}

/** Longer than any test: a test that is too slow says so itself. */
const PATIENCE_MS = 600_000;

type Validate = (value: unknown) => { valid: boolean; errorMessage?: string | undefined };

const AJV = new AjvJsonSchemaValidator();
const SCHEMAS = new Map<string, JsonSchemaType>();

/** Each server lists the same schemas, and Ajv compiles an object that it knows only once. */
function validatorOf<T>(schema: JsonSchemaType): JsonSchemaValidator<T> {
  const text = JSON.stringify(schema);
  const known = SCHEMAS.get(text) ?? schema;
  SCHEMAS.set(text, known);
  return AJV.getValidator<T>(known);
}

/**
 * A typical host: the SDK's client, which starts the server over stdio. Every result is validated
 * against the tool's `outputSchema`, also those of failures, which the SDK does not check, and its text
 * against its structured content: hosts show their model the one or the other.
 */
export class Host {
  readonly client: Client;
  readonly #schemas: ReadonlyMap<string, Validate>;

  private constructor(client: Client, schemas: ReadonlyMap<string, Validate>) {
    this.client = client;
    this.#schemas = schemas;
  }

  static async start(settings: Settings): Promise<Host> {
    const client = new Client(
      { name: "e2e", version: "1" },
      { jsonSchemaValidator: { getValidator: validatorOf } },
    );
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [MAIN],
        env: environmentWith({ FOUNDRY_LOG_LEVEL: "warn", ...settings }),
        stderr: "inherit",
      }),
    );
    const { tools } = await client.listTools();
    const schemas = tools.map(({ name, outputSchema }): [string, Validate] => {
      if (outputSchema === undefined) throw new Error(`${name} has no outputSchema`);
      return [name, validatorOf(Object(outputSchema))];
    });
    return new Host(client, new Map(schemas));
  }

  async call(
    name: string,
    given: Readonly<Record<string, unknown>> = {},
    { signal, timeoutMs = PATIENCE_MS, onProgress }: CallSettings = {},
  ): Promise<Answer> {
    const raw = await this.client.callTool(
      { name, arguments: { ...given } },
      CallToolResultSchema,
      {
        timeout: timeoutMs,
        ...(signal && { signal }),
        ...(onProgress && {
          onprogress: ({ progress, total, message = "" }) =>
            onProgress({ progress, message, ...(total !== undefined && { total }) }),
        }),
      },
    );
    const { content, structuredContent, isError = false } = CallToolResultSchema.parse(raw);
    const text = content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
    if (content.length !== 1) throw new Error(`${name} answered with ${content.length} contents`);
    this.#assertFits(name, structuredContent, isError);
    if (structuredContent !== undefined) assertSaysTheSame(name, structuredContent, text);
    const code = isError ? (/^[A-Z_]+(?=: )/.exec(text)?.[0] ?? "none") : null;
    return { isError, code, text, result: structuredContent ?? {} };
  }

  complete(given: Readonly<Record<string, unknown>>, settings?: CallSettings): Promise<Answer> {
    return this.call("complete", given, settings);
  }

  close(): Promise<void> {
    return this.client.close();
  }

  #assertFits(name: string, structured: unknown, isError: boolean): void {
    if (structured === undefined) {
      if (!isError) throw new Error(`${name} succeeded without structured content`);
      return;
    }
    const verdict = this.#schemas.get(name)?.(structured);
    if (verdict?.valid === true) return;
    throw new Error(`The result of ${name} does not fit its schema: ${verdict?.errorMessage}`);
  }
}

/** Both forms say what to call next, and all notes. */
function assertSaysTheSame(name: string, structured: object, text: string): void {
  const { next, notes } = frameSchema.parse(structured);
  const missing = [...(next === null ? [] : [next]), ...notes].filter((line) =>
    line.split(/(?<=[.:]) /).some((words) => !text.includes(words)),
  );
  if (missing.length > 0) throw new Error(`The text of ${name} lacks: ${missing.join(" | ")}`);
}

const frameSchema = z.looseObject({ next: z.string().nullable(), notes: z.array(z.string()) });
