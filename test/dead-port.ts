import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * A port at which nothing listens, and nothing begins to. It lies below the ports that any system
 * hands out for port 0, so no server of another test gets it, as happened with a port just closed.
 */
export async function deadPort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
