import { createHash } from "node:crypto";
import { SCRIPT } from "./page-script.js";
import { STYLE } from "./page-style.js";

const hashOf = (text: string): string =>
  `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

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
