import type { Clock } from "./clock.js";
import type { Dialect } from "./dialects/dialect.js";
import type { FaultKind, Faults } from "./faults/armed.js";
import { insteadOf, tamperOf } from "./faults/tamper.js";
import type { RequestLog } from "./received.js";
import type { Exchange } from "./wire/connection.js";
import { Reply } from "./wire/reply.js";

interface Tools {
  readonly dialect: Dialect;
  readonly faults: Faults;
  readonly log: RequestLog;
  readonly clock: Clock;
}

/** Answers one request, or applies a fault instead. Resolves to whether the connection stays open. */
export async function answerExchange(
  exchange: Exchange,
  connection: number,
  { dialect, faults, log, clock }: Tools,
): Promise<boolean> {
  const { head, wire, socket } = exchange;
  const fault = faults.take(head.method, head.target)?.fault ?? null;
  const record = log.add(head, connection, fault?.kind ?? null);
  const byFault = () => {
    log.end(record, "fault");
    reply.abandon();
  };
  const tamper = fault === null ? null : tamperOf(fault, clock, byFault);
  const reply = new Reply({
    wire,
    profile: dialect.profile,
    tamper,
    closes: exchange.closes,
    onStatus: (status) => {
      record.status = status;
    },
  });
  const gone = () => log.end(record, "client-gone");
  const broken = () => {
    gone();
    reply.abandon();
  };
  socket.once("end", gone);
  socket.once("close", broken);
  const readBody = async () => {
    const body = await exchange.readBody();
    record.body = parsed(body);
    log.changed();
    return body;
  };
  try {
    if (fault !== null && (await actInstead(fault, exchange, reply, readBody, dialect))) {
      log.end(record, "fault");
      return !reply.closes && !socket.destroyed;
    }
    const clientGone = () => socket.destroyed || !socket.writable;
    const clientClosed = () => clientGone() || socket.readableEnded;
    await dialect.answer({ head, readBody, reply, record, clientGone, clientClosed });
    const complete = await reply.finished;
    if (complete) {
      if (record.status !== null && record.status < 400) {
        record.tokensSent = record.tokensGenerated;
      }
      log.end(record, "answered");
    }
    // A dialect can end its answer after the socket was destroyed and before "close" is emitted.
    else if (clientGone()) gone();
    return complete && !reply.closes && !socket.destroyed;
  } finally {
    socket.off("end", gone);
    socket.off("close", broken);
  }
}

/** Whether the fault replaces the answer; then it has been sent. */
async function actInstead(
  fault: FaultKind,
  { head, wire }: Exchange,
  reply: Reply,
  readBody: () => Promise<Buffer | null>,
  dialect: Dialect,
): Promise<boolean> {
  const instead = insteadOf(fault);
  if (instead === null) return false;
  if (dialect.profile.readsBody(head)) await readBody();
  if (instead === "reset" || instead === "close") wire[instead]();
  else reply.whole(instead);
  return true;
}

function parsed(body: Buffer | null): unknown {
  if (body === null || body.length === 0) return null;
  try {
    return JSON.parse(body.toString());
  } catch {
    return body.toString();
  }
}
