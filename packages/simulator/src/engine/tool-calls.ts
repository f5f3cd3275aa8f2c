import * as z from "zod";
import type { Markers, ToolCall } from "./script.js";

const members = z.record(z.string(), z.unknown());
const callSchema = z
  .object({ name: z.string(), arguments: members.optional(), parameters: members.optional() })
  .transform(
    (call): ToolCall => ({
      name: call.name,
      arguments: call.arguments ?? call.parameters ?? {},
    }),
  );

/** The calls in the text between two markers; `null` when the text is not a call. */
export function parseCalls(text: string): ToolCall[] | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return z.array(callSchema).parse(Array.isArray(parsed) ? parsed : [parsed]);
  } catch {
    return null;
  }
}

/** All calls in a whole answer, for the dialects that leave them in its text. */
export function callsIn(text: string, markers: Markers | null): ToolCall[] {
  if (markers === null) return [];
  return text
    .split(markers.start)
    .slice(1)
    .flatMap((rest) => {
      const length = rest.indexOf(markers.end);
      return length < 0 ? [] : (parseCalls(rest.slice(0, length)) ?? []);
    });
}
