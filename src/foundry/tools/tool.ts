import type { JsonSchema } from "../structured/index.js";

/** A tool that the model may call, as the OpenAI API has it. */
export interface ToolDefinition {
  readonly type?: "function" | undefined;
  readonly function: {
    readonly name: string;
    /** For the model: what the tool does and when to call it. */
    readonly description?: string | undefined;
    /** JSON Schema of the arguments, an object. Default: no arguments. */
    readonly parameters?: JsonSchema | undefined;
    readonly strict?: boolean | null | undefined;
  };
}

/**
 * Whether the model may call a tool (`auto`, the default where there are tools), must call one
 * (`required`, or the named one), or may not (`none`).
 */
export type ToolChoice =
  | "auto"
  | "none"
  | "required"
  | { readonly type: "function"; readonly function: { readonly name: string } };

/** A call of a tool that the model asks for. */
export interface ToolCall {
  /** Names the call in the message with its result. Made here where the service gave none. */
  readonly id: string;
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /**
   * Why the call should not be run: an unknown tool, arguments that are not JSON or do not fit the
   * parameters of the tool. Give it to the model as the result of the call. Absent where the call fits.
   */
  readonly error?: string | undefined;
}

/** A part of a call as a service sends it: a whole one, or one piece of a stream. */
export interface CallPiece {
  readonly index: number | null;
  readonly id: string | null;
  readonly name: string | null;
  /** A text of JSON or a part of it, or the arguments themselves. */
  readonly arguments: unknown;
}

/** A call as a model wrote it, before anything is checked. */
export interface RawCall {
  readonly id?: string | undefined;
  readonly name: string;
  /** A text of JSON, the arguments themselves, or nothing. */
  readonly arguments: unknown;
  /** Each argument is a text, whatever its type. */
  readonly areTexts?: boolean | undefined;
  /** The arguments are no JSON and could not be repaired. */
  readonly broken?: string | undefined;
}
