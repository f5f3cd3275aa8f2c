// A web service around a model: health, figures, a second model where the first fails, and an orderly end.
// POST / with a question as text; GET /health; GET /metrics. PORT is its port, 8080 by default.
//
//   node examples/production.js                        on Foundry Local, which the client finds and starts
//   node examples/production.js http://127.0.0.1:5273  on the simulator, started in another terminal:
//     node dist/main.js simulate --port 5273 --answers examples/answers.json
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { FoundryClient, FoundryError } from "foundry-local-mcp";

// The next one is tried where one is not there or cannot be loaded.
const MODELS = ["phi-4", "phi-4-mini"];
const client = new FoundryClient({
  endpoint: process.argv[2],
  // A busy service refuses a request at once instead of letting it wait without end.
  queueLimit: 32,
  rateLimit: 120,
  cache: 500,
});

const server = createServer(async (request, response) => {
  /** @param {number} status @param {object} body */
  const reply = (status, body) => response.writeHead(status).end(JSON.stringify(body));
  const gone = new AbortController();
  // The generation stops when its caller has gone.
  response.on("close", () => gone.abort());
  try {
    if (request.method === "POST") {
      // At temperature 0, the same question has the same answer, which the cache keeps.
      const asked = { prompt: await text(request), models: MODELS, temperature: 0 };
      const completion = await client.complete(asked, { signal: gone.signal });
      for (const warning of completion.warnings) console.error(warning);
      return reply(200, { text: completion.text, model: completion.model });
    }
    if (request.url === "/metrics") return reply(200, client.metrics());
    const { status, problems } = await client.healthCheck();
    reply(status === "unavailable" ? 503 : 200, { status, problems });
  } catch (error) {
    if (!(error instanceof FoundryError)) return reply(500, { code: "INTERNAL" });
    const status = error.code === "INVALID_ARGUMENT" ? 400 : error.retryable ? 503 : 502;
    reply(status, { code: error.code, message: error.message });
  }
});

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => console.log(server.address()));
// No further requests; those in flight get their answers.
const end = () => server.close(() => client.close());
process.once("SIGINT", end).once("SIGTERM", end);
