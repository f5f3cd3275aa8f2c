import type { RawResponse } from "../../../test/real/raw_http.js";
import type { RecordedExchange } from "./recording.js";

/** An answer without the parts that differ from run to run. */
export interface NormalForm {
  readonly status: number | undefined;
  readonly reason: string | undefined;
  readonly headers: readonly string[];
  readonly body: unknown;
  readonly connection: string | undefined;
}

/**
 * `"shape"`: of JSON only the keys and types, of a stream only the sequence of such shapes, of a
 * connection that failed only that it did. `"any order"`: the list that the body is, sorted.
 */
export type Closeness = "exact" | "any order" | "shape";

export function normalRecorded({ response }: RecordedExchange, closeness: Closeness): NormalForm {
  const { status, reason, headers = [], connection } = response;
  const content = response.events?.join("") ?? response.text;
  const text = content ?? (response.json === undefined ? "" : JSON.stringify(response.json));
  return {
    ...normal(status, reason, headers, ending(connection, closeness)),
    body: body(text, headers, closeness),
  };
}

export function normalAnswer(answer: RawResponse, closeness: Closeness): NormalForm {
  const { status, reason, headers = [], chunks, connection } = answer;
  const text = chunks.join("");
  return {
    ...normal(status, reason, headers, ending(connection, closeness)),
    body: body(text, headers, closeness),
  };
}

const ending = (connection: string | undefined, closeness: Closeness): string | undefined =>
  closeness === "shape" && /^ECONN(RESET|REFUSED)$/.test(connection ?? "")
    ? "not connected"
    : connection;

const VOLATILE_HEADERS: Readonly<Record<string, string>> = {
  "Content-Length": "(length)",
  Date: "(date)",
};

type Headers = readonly (readonly [string, string])[];

function normal(
  status: number | undefined,
  reason: string | undefined,
  headers: Headers,
  connection: string | undefined,
) {
  const lines = headers.map(([name, value]) => `${name}: ${VOLATILE_HEADERS[name] ?? value}`);
  return { status, reason, headers: lines.sort(), connection };
}

function body(text: string, headers: Headers, closeness: Closeness): unknown {
  const content = CONTENT[closeness];
  const type = headers.find(([name]) => name === "Content-Type")?.[1];
  if (/^application\/json\b/.test(type ?? "")) return content(stable(JSON.parse(text)));
  if (type !== "text/event-stream") return text;
  return (
    text
      .split("\n\n")
      // A comment says only that time passed.
      .filter((event) => event !== "" && !event.startsWith(":"))
      .map((event) => {
        const [, name = "", data = ""] = /^(event: .*\n)?data: (.*)$/s.exec(event) ?? [];
        return { name, data: data === "[DONE]" ? data : content(stable(JSON.parse(data))) };
      })
  );
}

const CONTENT: Readonly<Record<Closeness, (value: unknown) => unknown>> = {
  exact: (value) => value,
  "any order": (value) => (Array.isArray(value) ? [...value].sort() : value),
  shape: shapeOf,
};

const VOLATILE: Readonly<Record<string, unknown>> = {
  CreatedAt: "(time)",
  Endpoints: "(url)",
  ModelDirPath: "(path)",
  created: "(time)",
  created_at: "(time)",
  embedding: "(vector)",
  endpoints: "(url)",
  modelCachePath: "(path)",
  modelDirPath: "(path)",
  pid: "(pid)",
  tool_call_id: "(id)",
};
/** File, line and function of a build: `model.cc:59 void fl::Model::Load(int) `. */
const SOURCE_PLACE = /\w+\.cc:\d+ [^()]*\((?:[^()]|\([^()]*\))*\) /g;
const RANDOM_ID = /^(chatcmpl-|resp_|msg_|fc_|rs_|call_)[0-9A-Za-z]+$/;

function stable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stable);
  if (typeof value === "string") {
    return value.replace(RANDOM_ID, "$1").replace(SOURCE_PLACE, "");
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      // A JSON text: its spelling does not matter.
      if (key === "arguments" && typeof member === "string") return [key, JSON.parse(member)];
      const time = /^(completed|failed)_at$/.test(key) && member !== null;
      // 1.x gives a call nine letters and digits.
      if (key === "id" && /^[0-9A-Za-z]{9}$/.test(String(member))) return [key, "(id)"];
      return [key, time ? "(time)" : (VOLATILE[key] ?? stable(member))];
    }),
  );
}

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (value === null) return null;
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shapeOf(member)]));
}
