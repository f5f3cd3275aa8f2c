import { describe, expect, it } from "vitest";
import { CallScope } from "../../src/http/call-scope.js";
import { Connections } from "../../src/http/connections.js";
import { MOST_LONG_REQUESTS, MOST_SHORT_REQUESTS } from "../../src/lib/limits.js";

const scopeOf = (signal?: AbortSignal) => new CallScope(signal, new Set());

async function full(isLong: boolean) {
  const connections = new Connections("http://127.0.0.1:9", 1000);
  const most = isLong ? MOST_LONG_REQUESTS : MOST_SHORT_REQUESTS;
  const leases = [];
  for (let i = 0; i < most; i++) leases.push(await connections.take(isLong, scopeOf()));
  return { connections, leases };
}

describe("Connections", () => {
  it.each([true, false])("serves waiting requests in order (long: %s)", async (isLong) => {
    const { connections, leases } = await full(isLong);
    const order: number[] = [];
    const waiting = [1, 2].map(async (number) => {
      await connections.take(isLong, scopeOf());
      order.push(number);
    });
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    leases[0]?.giveBack();
    leases[0]?.giveBack();
    await waiting[0];
    await new Promise(setImmediate);
    expect(order).toEqual([1]);
    leases[1]?.giveBack();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2]);
  });

  it("lets short requests pass while all long ones wait", async () => {
    const { connections } = await full(true);
    await expect(connections.take(false, scopeOf())).resolves.toBeDefined();
  });

  it("lets a request leave the queue at once when its call ends", async () => {
    const { connections, leases } = await full(false);
    const aborting = new AbortController();
    const gone = connections.take(false, scopeOf(aborting.signal));
    const next = connections.take(false, scopeOf());
    aborting.abort();
    await expect(gone).rejects.toMatchObject({ code: "CANCELLED" });
    leases[0]?.giveBack();
    await expect(next).resolves.toBeDefined();
  });

  it("closes a connection that is released after the end", async () => {
    const connections = new Connections("http://127.0.0.1:9", 1000);
    const lease = await connections.take(false, scopeOf());
    connections.close();
    lease.giveBack();
    expect(lease.connection.client.destroyed).toBe(true);
  });
});
