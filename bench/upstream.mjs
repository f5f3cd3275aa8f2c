// An engine that answers at once, whole or as a stream, in a process of its own. To the prompt `events N L` it
// sends N events with L characters each (0: a word); below `/models-N` it lists N models.
import { once } from "node:events";
import { createServer } from "node:http";

const modelsOf = (count) =>
  JSON.stringify({
    object: "list",
    data: [
      { id: "instant", object: "model" },
      ...Array.from({ length: count - 1 }, (_, at) => ({ id: `model-${at}`, object: "model" })),
    ],
  });
const TEXT = "Hello from an instant model.";
const USAGE = { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 };
const chunk = (fields) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", model: "instant", ...fields })}\n\n`;
const textChunk = (content) => chunk({ choices: [{ index: 0, delta: { content } }] });
const END = [
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
  chunk({ choices: [], usage: USAGE }),
  "data: [DONE]\n\n",
].join("");
const STREAM = textChunk(TEXT) + END;
const WHOLE = JSON.stringify({
  id: "c",
  object: "chat.completion",
  model: "instant",
  choices: [{ index: 0, message: { role: "assistant", content: TEXT }, finish_reason: "stop" }],
  usage: USAGE,
});

/** Words as a tokenizer cuts them. */
const WORDS = [" the", " quick", " brown", "\n", " fox", " jumps", " over", "."];
const EVENTS_A_WRITE = 100;

async function sendEvents(response, count, characters) {
  const texts = WORDS.map((word) => word.repeat(characters).slice(0, characters) || word);
  const chunks = texts.map(textChunk);
  const write = Array.from({ length: EVENTS_A_WRITE }, (_, at) => chunks[at % chunks.length]);
  const many = write.join("");
  for (let sent = 0; sent < count; sent += EVENTS_A_WRITE) {
    if (!response.write(many)) await once(response, "drain");
  }
  response.end(END);
}

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (text) => {
    body += text;
  });
  request.on("end", async () => {
    const [, count = "1", route] = /^(?:\/models-(\d+))?(\/v1\/.*)$/.exec(request.url) ?? [];
    const isChat = request.method === "POST" && route === "/v1/chat/completions";
    const { stream = false, messages = [] } = isChat ? JSON.parse(body) : {};
    const isKnown = isChat || route === "/v1/models";
    const type = stream ? "text/event-stream" : "application/json";
    response.writeHead(isKnown ? 200 : 404, { "content-type": type });
    const [, events, characters] = /^events (\d+) (\d+)$/.exec(messages.at(-1)?.content) ?? [];
    if (events !== undefined) await sendEvents(response, Number(events), Number(characters));
    else if (!isChat) response.end(isKnown ? modelsOf(Number(count)) : "{}");
    else response.end(stream ? STREAM : WHOLE);
  });
});
server.listen(0, "127.0.0.1", () => process.send?.(`http://127.0.0.1:${server.address().port}`));
process.once("disconnect", () => process.exit());
