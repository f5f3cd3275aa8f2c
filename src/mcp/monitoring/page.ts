import { hash } from "node:crypto";

/** Its hash, and that of the script, are in the policy of the page. */
const STYLE = `
:root { --back: #fff; --card: #f5f6f8; --text: #1b1f24; --faint: #57606a; --line: #d0d7de;
  --one: #0f6cbd; --two: #b35900; --good: #0b6a2b; --warn: #8a5a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171a; --card: #1e2328; --text: #e6e9ec; --faint: #9aa4ae; --line: #3a424a;
    --one: #6cb5f4; --two: #f0a35c; --good: #6fd08c; --warn: #e8b84a; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
header { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; }
h1 { font-size: 1.25rem; margin: 0; }
h2 { font-size: 0.95rem; margin: 0 0 0.25rem; font-weight: 600; }
header p { margin: 0; color: var(--faint); }
form { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
form[hidden], main[hidden] { display: none; }
input, button { font: inherit; padding: 0.35rem 0.6rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--card); color: var(--text); }
input { min-width: 0; width: 18rem; }
#facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 0.5rem; margin: 1rem 0; }
.fact { background: var(--card); border-radius: 8px; padding: 0.5rem 0.75rem; overflow-wrap: anywhere; }
.fact span { display: block; color: var(--faint); font-size: 0.8rem; }
.problem { border-left: 4px solid var(--warn); background: var(--card); padding: 0.5rem 0.75rem; margin: 0.75rem 0 0; }
.problem b, .problem span { display: block; }
header .healthy { color: var(--good); } header .degraded { color: var(--warn); }
header .unavailable { color: var(--bad); }
#plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 0.75rem; }
figure { margin: 0; background: var(--card); border-radius: 8px; padding: 0.6rem 0.75rem; min-width: 0; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; font-size: 0.85rem; }
.key { color: var(--faint); }
.key i { display: inline-block; width: 0.7em; height: 0.7em; border-radius: 2px; margin: 0 0.3em 0 0.8em; }
i.one { background: var(--one); } i.two { background: var(--two); }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--faint); font-size: 11px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
path { fill: none; stroke-width: 1.75; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
path.one { stroke: var(--one); } path.two { stroke: var(--two); stroke-dasharray: 5 3; }
.wide { margin-top: 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: right; padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 500; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
`;

/**
 * Texts of services and models are only ever set as text. The key is kept in the memory of the page alone, and
 * sent as a header.
 */
const SCRIPT = `
"use strict";
const byId = (id) => document.getElementById(id);
const make = (tag, text, name) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name !== undefined) made.className = name;
  return made;
};
const drawn = (tag, attributes, text) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
};
const count = (value) => value.toLocaleString("en");
const ms = (value) => value === null || value === undefined ? "–"
  : value < 1000 ? Math.round(value) + " ms" : value < 120000 ? (value / 1000).toFixed(1) + " s"
  : Math.round(value / 60000) + " min";
const bytes = (value) => value < 1e3 ? value + " B" : value < 1e6 ? (value / 1e3).toFixed(1) + " kB"
  : (value / 1e6).toFixed(1) + " MB";

let key = "";
let isAsking = false;

function say(text, name) {
  byId("state").textContent = text;
  byId("state").className = name || "";
}

function ask(text) {
  isAsking = true;
  byId("main").hidden = true;
  byId("ask").hidden = false;
  say(text);
  byId("key").focus();
}

async function refresh() {
  const headers = key === "" ? {} : { authorization: "Bearer " + key };
  let answer;
  try {
    answer = await fetch("./status", { headers, cache: "no-store", credentials: "omit" });
  } catch {
    say("The server does not answer.", "unavailable");
    return;
  }
  if (answer.status === 401) return ask(key === "" ? "" : "The key is wrong.");
  if (!answer.ok) return say("The server answered with " + answer.status + ".", "unavailable");
  show(await answer.json());
}

function show({ version, sessions, health, metrics, samples, sample_ms: sampleMs }) {
  byId("main").hidden = false;
  say("The service is " + health.status + ".", health.status);
  byId("problems").replaceChildren(...health.problems.map(({ what, fix }) => {
    const box = make("p", undefined, "problem");
    box.append(make("b", what), make("span", fix));
    return box;
  }));
  const last = metrics.last_error;
  const loaded = health.loaded_models;
  byId("facts").replaceChildren(...[
    ["Service", health.service || "–"],
    ["Address", health.endpoint || "none found"],
    ["Answers in", ms(health.latency_ms)],
    ["Circuit", health.circuit ? health.circuit.state : "–"],
    ["Loaded models", loaded === null ? "unknown" : loaded.join(", ") || "none"],
    ["Completions", metrics.queue.running + " running, " + metrics.queue.waiting + " waiting"],
    ["Latest error", last === null ? "none" : last.code + ", " + ms(last.ago_ms) + " ago"],
    ["This server", version + ", up " + ms(metrics.uptime_ms) + ", sessions: " + sessions],
  ].map(([name, value]) => {
    const box = make("div", undefined, "fact");
    box.append(make("span", name), value);
    return box;
  }));
  const seconds = sampleMs / 1000;
  byId("plots").replaceChildren(
    plot("Completions", count, samples, sampleMs,
      [["done in 10 s", (each) => each.completed], ["failed", (each) => each.failed]]),
    plot("Tokens per second", (value) => value.toFixed(1), samples, sampleMs,
      [["all answers", (each) => each.output_tokens / seconds]]),
    plot("Mean time", ms, samples, sampleMs,
      [["whole answer", (each) => each.latency_ms], ["first token", (each) => each.first_token_ms]]),
    plot("Queue", count, samples, sampleMs,
      [["running", (each) => each.running], ["waiting", (each) => each.waiting]]),
  );
  byId("calls").replaceChildren(...table(metrics.operations));
}

const WIDTH = 420;
const HEIGHT = 140;
const TOP = 14;
const BOTTOM = HEIGHT - 18;

function plot(title, format, samples, sampleMs, lines) {
  const most = Math.max(1e-9, ...lines.flatMap(([, of]) => samples.map((each) => of(each) || 0)));
  const figure = make("figure");
  const caption = make("figcaption");
  const names = make("span", undefined, "key");
  const svg = drawn("svg", { viewBox: "0 0 " + WIDTH + " " + HEIGHT, role: "img" });
  for (const y of [TOP, BOTTOM]) svg.append(drawn("line", { x1: 0, x2: WIDTH, y1: y, y2: y, class: "grid" }));
  svg.append(drawn("text", { x: 0, y: TOP - 3 }, most > 1e-9 ? format(most) : ""));
  svg.append(drawn("text", { x: 0, y: HEIGHT - 4 }, "1 h ago"));
  svg.append(drawn("text", { x: WIDTH, y: HEIGHT - 4, "text-anchor": "end" }, "now"));
  const newest = samples.length === 0 ? 0 : samples[samples.length - 1].at;
  lines.forEach(([name, of], index) => {
    const kind = index === 0 ? "one" : "two";
    let path = "";
    let isOpen = false;
    for (const each of samples) {
      const value = of(each);
      if (value === null) { isOpen = false; continue; }
      const x = WIDTH * (1 - (newest - each.at) / 3600000);
      const y = BOTTOM - (BOTTOM - TOP) * value / most;
      path += (isOpen ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1);
      // A value between two samples without one is a dot.
      if (!isOpen) path += "h0.1";
      isOpen = true;
    }
    svg.append(drawn("path", { d: path || "M0 0", class: kind }));
    const latest = samples.length === 0 ? null : of(samples[samples.length - 1]);
    names.append(make("i", undefined, kind), name + ": " + (latest === null ? "–" : format(latest)));
  });
  svg.setAttribute("aria-label", title + " in the last hour, at most " + format(most));
  caption.append(make("b", title), names);
  figure.append(caption, svg);
  return figure;
}

const HEADINGS = ["Call", "Model", "Done", "Failed", "Stopped", "Retries", "Cached", "p50", "p95", "p99",
  "First token p50", "Tokens/s p50", "Waited p95", "Sent", "Received", "Errors"];

function table(operations) {
  const row = (cells, tag) => {
    const made = make("tr");
    made.append(...cells.map((cell) => make(tag, cell)));
    return made;
  };
  const head = make("thead");
  head.append(row(HEADINGS, "th"));
  const body = make("tbody");
  body.append(...operations.map((of) => row([
    of.operation, of.model || "–", count(of.completed), count(of.failed + of.interrupted),
    count(of.cancelled), count(of.retries), count(of.cache_hits),
    ...["p50", "p95", "p99"].map((name) => ms(of.latency_ms && of.latency_ms[name])),
    ms(of.first_token_ms && of.first_token_ms.p50),
    of.tokens_per_second ? String(of.tokens_per_second.p50) : "–", ms(of.queue_ms && of.queue_ms.p95),
    bytes(of.sent_bytes), bytes(of.received_bytes),
    Object.entries(of.errors).map(([code, times]) => code + " " + times).join(", ") || "–",
  ], "td")));
  return [head, body];
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value;
  byId("key").value = "";
  byId("ask").hidden = true;
  isAsking = false;
  say("Loading");
  void refresh();
});

async function run() {
  for (;;) {
    if (!isAsking && !document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
void run();
`;

const hashOf = (text: string): string => `'sha256-${hash("sha256", text, "base64")}'`;

/** The page of an operator, in one file. It has no data: its script asks for that, with the key in a header. */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>foundry-local-mcp</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>foundry-local-mcp</h1>
<p id="state" role="status">Loading</p>
</header>
<form id="ask" hidden>
<label for="key">This server has a key (FOUNDRY_HTTP_KEY).</label>
<input type="text" value="foundry-local-mcp" autocomplete="username" hidden>
<input id="key" type="password" autocomplete="current-password" required>
<button>Show</button>
</form>
<main id="main" hidden>
<section id="problems" aria-label="Problems"></section>
<section id="facts" aria-label="Service"></section>
<section id="plots" aria-label="The last hour"></section>
<section class="wide"><h2>Calls</h2><table id="calls"></table></section>
</main>
<noscript>This page needs JavaScript. The same figures are in /metrics and in the resource foundry://metrics.</noscript>
<script>${SCRIPT}</script>
</body>
</html>
`;

const POLICY = [
  "default-src 'none'",
  `script-src ${hashOf(SCRIPT)}`,
  `style-src ${hashOf(STYLE)}`,
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": POLICY,
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};
