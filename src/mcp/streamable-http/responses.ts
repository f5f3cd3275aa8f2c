import { portableJson } from "../../lib/index.js";

/** A refusal in the form in which clients of the protocol read it. */
export const jsonRpcError = (
  status: number,
  code: number,
  message: string,
  id: string | number | null = null,
): Response => Response.json({ jsonrpc: "2.0", error: { code, message }, id }, { status });

/** The same response, with its JSON as every reader of lines takes it. The SDK writes each event at once. */
export function portable(response: Response): Response {
  if (response.body === null) return response;
  const lines = new TransformStream<string, string>({
    transform: (text, controller) => controller.enqueue(portableJson(text)),
  });
  const body = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(lines)
    .pipeThrough(new TextEncoderStream());
  return new Response(body, response);
}
