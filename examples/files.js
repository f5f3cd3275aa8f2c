// Answers a question from files through the MCP server, as an agent does: only the local model reads them.
// Needs: npm install @modelcontextprotocol/sdk
//
//   node examples/files.js                        on Foundry Local, which the server finds and starts
//   node examples/files.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [endpoint] = process.argv.slice(2);
const main = new URL("./dist/main.js", import.meta.resolve("foundry-local-mcp/package.json"));
// The server reads files of this folder, and of no other.
const allowed = fileURLToPath(new URL(".", import.meta.url));

const mcp = new Client({ name: "files-example", version: "1" });
await mcp.connect(
  new StdioClientTransport({
    command: process.execPath,
    args: [
      ...[fileURLToPath(main), "--files", allowed, "--log-level", "error"],
      ...(endpoint === undefined ? [] : ["--endpoint", endpoint]),
    ],
  }),
);
try {
  const question = "Which example remembers the conversation?";
  // One call for the whole answer, which can take minutes while models load.
  const result = await mcp.callTool(
    { name: "ask_documents", arguments: { question, files: ["README.md"], reply_within: 3600 } },
    undefined,
    { timeout: 3_700_000 },
  );
  if (result.isError) {
    console.error(Object(result.content)[0].text.replaceAll("\n", " "));
    process.exitCode = 1;
  } else {
    const { answer: text, sources } = Object(result.structuredContent);
    for (const { file, lines } of sources) console.error(`${file}, lines ${lines}`);
    console.log(text);
  }
} finally {
  await mcp.close();
}
