/**
 * Stands between a client and the server, and writes each of their lines into a file:
 * `{"ms": 12, "from": "client", "line": "…"}`.
 */
import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";

const [file, ...args] = process.argv.slice(2);
const log = createWriteStream(file, { flags: "a" });
const server = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });

function pass(from, input, output) {
  createInterface({ input })
    .on("line", (line) => {
      log.write(`${JSON.stringify({ ms: Math.round(performance.now()), from, line })}\n`);
      output.write(`${line}\n`);
    })
    .on("close", () => output.end());
}

pass("client", process.stdin, server.stdin);
pass("server", server.stdout, process.stdout);
server.stdin.on("error", () => {});
process.stdout.on("error", () => {});
process.on("SIGTERM", () => server.kill("SIGTERM"));
server.on("exit", (code) => log.end(() => process.exit(code ?? 0)));
