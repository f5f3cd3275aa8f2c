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

/** The same response, with one call when its body has ended in whatever way. */
export function whenEnded(response: Response, onEnd: () => void): Response {
  if (response.body === null) {
    onEnd();
    return response;
  }
  const reader = response.body.getReader();
  let hasEnded = false;
  const end = (): void => {
    if (!hasEnded) onEnd();
    hasEnded = true;
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const read = await reader.read().catch((error: unknown) => {
        end();
        throw error;
      });
      // A read that waits when the client leaves ends, too.
      if (hasEnded) return;
      if (!read.done) return controller.enqueue(read.value);
      end();
      controller.close();
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
  return new Response(body, response);
}
