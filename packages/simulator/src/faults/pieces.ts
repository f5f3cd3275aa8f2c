import type { WholeAnswer } from "../wire/profile.js";
import type { Part, Tamper } from "../wire/reply.js";
import type { Wire } from "../wire/wire.js";

/** The beginning of a whole answer whose body comes as a stream. */
export const startOf = ({ status, contentType }: WholeAnswer): Part => ({
  kind: "start",
  status,
  contentType,
});

/** Sends so many bytes of a body, then runs `action` instead of the rest. */
export function cutBytes(count: number, action: (wire: Wire) => Promise<void>): Tamper {
  let passed = 0;
  return async (part, send, wire) => {
    if (part.kind === "whole") {
      await send(startOf(part.answer));
      const bytes = Buffer.from(part.answer.body).subarray(0, count);
      if (bytes.length > 0) await send({ kind: "bytes", bytes, event: false });
      await action(wire);
      return;
    }
    if (part.kind !== "bytes") return send(part);
    const bytes = part.bytes.subarray(0, count - passed);
    passed += bytes.length;
    if (bytes.length > 0) await send({ ...part, bytes });
    if (bytes.length < part.bytes.length || passed === count) await action(wire);
  };
}
