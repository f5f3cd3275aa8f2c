import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Both kinds lie below the ports that any system gives out for port 0.

/** A port at which nothing listens, now or later. */
export async function deadPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 22_000);
    if (await isFree(port)) return port;
  }
}

/** So many for each of the workers that run at once. */
const OWN_PORTS = 1000;
const first = 23_000 + (Number(process.env["VITEST_POOL_ID"] ?? 0) % 9) * OWN_PORTS;
let count = process.pid;

/**
 * A port that no test of another process gets. If a service that listened at port 0 is stopped for a
 * moment, another test's service may have taken its port when it comes back.
 */
export async function ownPort(): Promise<number> {
  for (let tries = 0; tries < OWN_PORTS; tries += 1) {
    count += 1;
    const port = first + (count % OWN_PORTS);
    if (await isFree(port)) return port;
  }
  throw new Error("no port is free");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
