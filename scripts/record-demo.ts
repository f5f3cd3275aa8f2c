/** Records the demo in a terminal of its own (`script` of util-linux) and writes docs/demo.svg. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Chunk, COLUMNS, terminalSvg } from "./terminal-svg.js";

const root = fileURLToPath(new URL("../", import.meta.url));
const command = `stty cols ${COLUMNS} && "${process.execPath}" dist/main.js demo`;
const { FOUNDRY_ENDPOINT: _, ...environment } = process.env;
const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
  cwd: root,
  env: { ...environment, TERM: "xterm-256color", NO_COLOR: "" },
  stdio: ["ignore", "pipe", "inherit"],
});
const chunks: Chunk[] = [];
const startedAt = performance.now();
child.stdout.setEncoding("utf8").on("data", (text: string) => {
  chunks.push({ atMs: performance.now() - startedAt, text });
});
const [code] = await once(child, "close");
if (code !== 0) throw new Error(`The demo ended with ${code}.`);
writeFileSync(
  `${root}docs/demo.svg`,
  terminalSvg("The demo: health_check, list_models, load_model and a streamed completion", chunks),
);
