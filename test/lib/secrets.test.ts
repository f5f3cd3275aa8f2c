import { describe, expect, it } from "vitest";
import { terminalScreen } from "../../src/commands/terminal.js";
import { toFoundryError } from "../../src/lib/errors.js";
import { SecretMask } from "../../src/lib/secrets.js";
import { escapeUnprintable } from "../../src/lib/text.js";
import { cpuMsOf } from "../cpu-time.js";
import { httpService } from "../foundry/dialects/http-service.js";
import { clientOf } from "../foundry/fixtures.js";

const KEY = 'sk-SECRET/0123"4567+89';
const forms = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  encodeURIComponent(secret).toLowerCase(),
  JSON.stringify(secret),
  Buffer.from(secret).toString("base64"),
  Buffer.from(`x${secret}yz`).toString("base64"),
  Buffer.from(`Bearer ${secret}`).toString("base64url"),
];

describe("a secret is hidden", () => {
  const mask = SecretMask.ofHeaders({ authorization: `Bearer ${KEY}`, accept: "text/plain" });
  it.each(forms(KEY).map((form, nr) => [nr, form] as const))("in form %i", (_nr, form) => {
    const hidden = mask.hide(`before ${form} behind`);
    expect(hidden).toMatch(/^before .*\(secret\).* behind$/);
    expect(hidden.length).toBeLessThan(32);
  });

  it("also where its end was cut off", () => {
    expect(mask.hide(`bad token ${KEY.slice(0, 9)}`)).toBe("bad token (secret)");
    expect(mask.hide(`bad token ${KEY.slice(0, 9).toUpperCase()}`)).toBe("bad token (secret)");
  });

  it.each(["Bearer abcde", "Basic YTpi", "ApiKey a-b"])(
    "with its scheme, where it is short: %s",
    (authorization) => {
      const short = SecretMask.ofHeaders({ authorization });
      expect(short.hide(`bad header ${authorization}!`)).toBe("bad header (secret)!");
    },
  );

  it.each(["ApiKey", "Basic", "Bearer", "Digest", "Negotiate"])(
    "but not its scheme at the end of a text: %s",
    (scheme) => {
      const schemed = SecretMask.ofHeaders({ authorization: `${scheme} ${KEY}` });
      expect(schemed.hide(`The scheme must be ${scheme}`)).toBe(`The scheme must be ${scheme}`);
      expect(schemed.hide(`bad ${scheme} ${KEY.slice(0, 9)}`)).toBe(`bad ${scheme} (secret)`);
    },
  );

  it("unlike short values, public headers and other texts", () => {
    const other = SecretMask.ofHeaders({ "x-team": "ai", accept: "text/plain" });
    expect(other.hide("the ai said text/plain")).toBe("the ai said text/plain");
    expect(mask.hide("Bearer of good news")).toBe("Bearer of good news");
  });
});

const STEERING = "\u001b]0;owned\u0007\u009b2J\u202e\nnew line\u2028";
const STATUSES = [400, 401, 403, 404, 407, 418, 429, 500, 503];
type Place = number | "event" | "event without error" | "200 with error" | "redirect";
const PLACES: readonly Place[] = [
  ...STATUSES,
  "event",
  "event without error",
  "200 with error",
  "redirect",
];
const DIALECTS = ["openai", "core1"] as const;
const CASES = DIALECTS.flatMap((dialect) => PLACES.map((place) => ({ dialect, place })));

/** A service of a dialect that answers each chat with its request. */
async function quoting(dialect: (typeof DIALECTS)[number], place: Place, words: string) {
  return httpService((request, response) => {
    const json = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (request.url === "/v1/models") return json(200, { data: [{ id: "m", object: "model" }] });
    if (dialect === "core1" && request.url === "/status") return json(200, { modelDirPath: "/m" });
    if (dialect === "core1" && request.url === "/models/loaded") return json(200, ["m"]);
    if (!request.url?.endsWith("/chat/completions")) return json(404, {});
    const body = { error: { message: words } };
    if (typeof place === "number") return json(place, body);
    if (place === "200 with error") return json(200, body);
    if (place === "redirect") {
      response.writeHead(302, { location: `http://x/?${encodeURIComponent(words.slice(0, 200))}` });
      return response.end();
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    const event = place === "event" ? body : { message: words };
    return response.end(`data: ${JSON.stringify(event)}\n\n`);
  });
}

async function failureOf(dialect: (typeof DIALECTS)[number], place: Place, words: string) {
  const { url } = await quoting(dialect, place, words);
  const logged: string[] = [];
  const keep = (fields: object, message: string) => {
    logged.push(`${message} ${JSON.stringify(fields)}`);
  };
  const log = { trace: () => {}, debug: keep, info: keep, warn: keep, error: keep };
  const client = clientOf(url, { apiKey: KEY, retry: { retries: 0 }, log });
  const error = await client
    .complete({ prompt: "Hi", model: "m" })
    .then(
      (completion) => toFoundryError("error" in completion ? completion.error : completion),
      toFoundryError,
    );
  await client.close();
  return { error, logged: logged.join("\n") };
}

describe.each(CASES)("$dialect, $place", ({ dialect, place }) => {
  it("neither the error nor the log contains the key or characters that control a terminal", async () => {
    const words = `bad ${forms(KEY).join(" ")} ${STEERING}`;
    const { error, logged } = await failureOf(dialect, place, words);
    expect(error.code).not.toBe("INTERNAL");
    const shown = `${error.message} ${error.action}`;
    for (const text of [shown, error.detail ?? "", logged]) {
      for (const form of [KEY, ...forms(KEY).slice(1, 5)]) expect(text).not.toContain(form);
    }
    expect(shown).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e]/u);
    expect(shown.length).toBeLessThanOrEqual(2000);
  });

  it("a message of a megabyte is handled in short time", async () => {
    const ms = await cpuMsOf(async () => {
      const { error } = await failureOf(dialect, place, "context length ".repeat(70_000));
      expect(error.code).not.toBe("INTERNAL");
    });
    expect(ms).toBeLessThan(3000);
  });
});

it("a screen removes control characters, and keeps line breaks", () => {
  let shown = "";
  const screen = terminalScreen({ write: (text: string) => (shown += text) }, {});
  screen.say(STEERING);
  screen.verdict(STEERING);
  screen.table([["name", STEERING]]);
  screen.stream(`${STEERING}\rover`);
  expect(shown.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Zl}\u202e]/u);
  expect(shown).toContain("\n  new line");
});

it("a line of the log has secrets hidden and other control characters escaped", () => {
  const json = JSON.stringify({ said: `${KEY}\u009b2J\u202e` });
  const line = escapeUnprintable(new SecretMask([KEY]).hide(json));
  expect(line).toBe('{"said":"(secret)\\u009b2J\\u202e"}');
  expect(JSON.parse(line)).toEqual({ said: "(secret)\u009b2J\u202e" });
});
