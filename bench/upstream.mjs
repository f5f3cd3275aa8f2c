// An engine that answers at once, whole or as a stream, in a process of its own.
import { createServer } from "node:http";

const MODELS = JSON.stringify({ object: "list", data: [{ id: "instant", object: "model" }] });
const TEXT = "Hello from an instant model.";
const USAGE = { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 };
const chunk = (fields) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", model: "instant", ...fields })}\n\n`;
const STREAM = [
  chunk({ choices: [{ index: 0, delta: { role: "assistant", content: TEXT } }] }),
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
  chunk({ choices: [], usage: USAGE }),
  "data: [DONE]\n\n",
].join("");
const WHOLE = JSON.stringify({
  id: "c",
  object: "chat.completion",
  model: "instant",
  choices: [{ index: 0, message: { role: "assistant", content: TEXT }, finish_reason: "stop" }],
  usage: USAGE,
});

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (text) => {
    body += text;
  });
  request.on("end", () => {
    const isChat = request.method === "POST" && request.url === "/v1/chat/completions";
    const isStream = isChat && JSON.parse(body).stream === true;
    const isKnown = isChat || request.url === "/v1/models";
    const type = isStream ? "text/event-stream" : "application/json";
    response.writeHead(isKnown ? 200 : 404, { "content-type": type });
    if (!isChat) response.end(isKnown ? MODELS : "{}");
    else response.end(isStream ? STREAM : WHOLE);
  });
});
server.listen(0, "127.0.0.1", () => process.send?.(`http://127.0.0.1:${server.address().port}`));
process.once("disconnect", () => process.exit());
