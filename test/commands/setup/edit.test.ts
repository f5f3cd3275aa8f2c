import fc from "fast-check";
import { stringify as tomlText } from "smol-toml";
import { describe, expect, it } from "vitest";
import { stringify as yamlText } from "yaml";
import {
  FORMATS,
  isBare,
  serverIn,
  withoutServer,
  withServer,
} from "../../../src/commands/setup/edit.js";
import { HOSTS, type HostKind } from "../../../src/commands/setup/hosts.js";

const hostNamed = (id: string): HostKind => {
  const host = HOSTS.find((each) => each.id === id && each.platform === undefined);
  if (host === undefined) throw new Error(id);
  return host;
};
const DESKTOP = hostNamed("claude-desktop");
const ZED = hostNamed("zed");
const CODEX = hostNamed("codex");
const GOOSE = hostNamed("goose");

const SERVER = { command: "/usr/bin/node", args: ["/opt/pkg/dist/main.js"], env: {} };

/** The file with the server in it. */
function added(text: string, host: HostKind): string {
  const edit = withServer(text, host, (before) => Object(before ?? host.entry(SERVER)));
  return edit?.text ?? text;
}

function removed(text: string, host: HostKind): string {
  const edit = withoutServer(text, host);
  return edit?.text ?? text;
}

const parsed = (text: string, host: HostKind) =>
  Object(FORMATS[host.format].parse(text.replace("\ufeff", "").replaceAll("\r\n", "\n")));

it("of two entries of this server, the one that setup writes is changed", () => {
  const own = { command: "/usr/bin/node", args: ["/opt/foundry-local-mcp/dist/main.js"] };
  const servers = { "gpu-box": { command: "npx", args: ["-y", "foundry-local-mcp"] }, other: {} };
  const text = JSON.stringify({ mcpServers: { ...servers, "foundry-local": own } });
  expect(serverIn(text, DESKTOP)).toEqual(own);
  expect(parsed(removed(text, DESKTOP), DESKTOP)).toEqual({ mcpServers: servers });
});

const ENTRY = `{
      "command": "/usr/bin/node",
      "args": [
        "/opt/pkg/dist/main.js"
      ]
    }`;

it("comments in a list of JSON stay where an element changes", () => {
  const text =
    '{"mcpServers": {"foundry-local": {"command": "/usr/bin/node", "args": [\n  /* the file */ "/o/dist/main.js", // mine\n  "--model", "m"\n]}}}';
  const args = ["/new/dist/main.js", "--model", "m"];
  const changed = withServer(text, DESKTOP, (before) => ({ ...Object(before), args }));
  expect(changed?.text).toBe(text.replace("/o/", "/new/"));
});

describe("an entry in JSON", () => {
  it.each([
    ["", `{\n  "mcpServers": {\n    "foundry-local": ${ENTRY}\n  }\n}\n`],
    ["{}", `{\n  "mcpServers": {\n    "foundry-local": ${ENTRY}\n  }\n}`],
    [
      '{\n  "a": 1\n}\n',
      `{\n  "a": 1,\n  "mcpServers": {\n    "foundry-local": ${ENTRY}\n  }\n}\n`,
    ],
    ['{\n  "mcpServers": {}\n}\n', `{\n  "mcpServers": {\n    "foundry-local": ${ENTRY}\n  }\n}\n`],
    [
      '{\n  "mcpServers": {\n    "b": {"command": "b"}\n  }\n}\n',
      `{\n  "mcpServers": {\n    "b": {"command": "b"},\n    "foundry-local": ${ENTRY}\n  }\n}\n`,
    ],
    [
      '{\n  "mcpServers": {\n    "b": {"command": "b"}, // mine\n  },\n}\n',
      `{\n  "mcpServers": {\n    "b": {"command": "b"}, // mine\n    "foundry-local": ${ENTRY},\n  },\n}\n`,
    ],
    [
      '{\n  "mcpServers": {\n    "b": {"command": "b"} /* mine */\n  }\n}\n',
      `{\n  "mcpServers": {\n    "b": {"command": "b"}, /* mine */\n    "foundry-local": ${ENTRY}\n  }\n}\n`,
    ],
    [
      '{\n  "mcpServers": { // mine\n  }\n}\n',
      `{\n  "mcpServers": { // mine\n    "foundry-local": ${ENTRY}\n  }\n}\n`,
    ],
  ])("is added to %j beside the other entries", (before, after) => {
    expect(added(before, DESKTOP)).toBe(after);
  });

  it.each([
    '{\n  "a": 1\n}\n',
    '{\n  "mcpServers": {\n    "b": {"command": "b"}\n  }\n}\n',
    '{\n  "mcpServers": {\n    "b": {"command": "b"}, // mine\n    // "c": {},\n  },\n}\n',
    '{\r\n\t"mcpServers": {\r\n\t\t"b": {"command": "b"} /* last */\r\n\t}\r\n}\r\n',
    '\ufeff{ "mcpServers": {"b": {"command": "b"}} }',
    '// mine\n{\n  // all\n  "a": "// no comment"\n}\n// end',
    '{\n  // "mcpServers": {}\n}\n',
    '{"mcpServers":{"b":{"command":"b"}}}',
  ])("leaves %j as it was when it is removed", (before) => {
    const after = added(before, DESKTOP);
    const again = removed(after, DESKTOP);

    expect(serverIn(after, DESKTOP)).toEqual(DESKTOP.entry(SERVER));
    expect(added(after, DESKTOP)).toBe(after);
    expect(commentsOf(again)).toEqual(commentsOf(before));
    expect(withoutContainer(again, DESKTOP)).toEqual(withoutContainer(before, DESKTOP));
    expect(again.startsWith("\ufeff")).toBe(before.startsWith("\ufeff"));
    if (before.includes("\r\n")) expect(after).not.toMatch(/(?<!\r)\n/);
  });

  it.each([
    ["{", "not valid JSON"],
    ['{"mcpServers": }', "not valid JSON"],
    ['{"a": 1 "b": 2}', "not valid JSON"],
    ["[]", "not an object"],
    ["1", "not an object"],
    ['{"mcpServers": []}', '"mcpServers" is not an object'],
    ['{"mcpServers": {}, "mcpServers": {"b": {}}}', "twice"],
    ['{"mcpServers": {"foundry-local": {"command": "other"}}}', "another server"],
  ])("is refused for %j with a message", (text, words) => {
    expect(() => added(text, DESKTOP)).toThrow(words);
  });

  it("replaces null, and goes behind comments", () => {
    expect(added('{"mcpServers": null}', DESKTOP)).toContain('"foundry-local": {');
    expect(added("// mine\n", DESKTOP)).toMatch(/^\/\/ mine\n\{/);
  });

  it("is updated member by member, so that comments in it stay", () => {
    const before =
      '{\n  "mcpServers": {\n    "mine": {\n      // old\n      "command": "old", // path\n      "args": ["/old/foundry-local-mcp/dist/main.js"],\n      "disabled": true\n    }\n  }\n}\n';
    const edit = withServer(before, DESKTOP, (old) => ({ ...Object(old), command: "new" }));
    expect(edit).toMatchObject({ text: before.replace('"old"', '"new"'), isNew: false });
  });

  it("keeps the comments among its variables, also where one is added", () => {
    const before =
      '{"mcpServers": {"foundry-local": {"command": "/o/dist/main.js", "env": {\n  // the small one\n  "A": "a", // alias\n  "B": "b" // why\n}}}}';
    const env = { A: "a", B: "c", C: "d" };
    const edit = withServer(before, DESKTOP, (old) => ({ ...Object(old), env }));
    const after = before.replace('"b" // why', '"c", // why\n  "C": "d"');
    expect(edit).toMatchObject({ text: after });
  });

  it("is found by the program it starts, whatever its name", () => {
    const text =
      '{"mcpServers": {"mine": {"command": "npx", "args": ["-y", "foundry-local-mcp"]}}}';
    expect(added(text, DESKTOP)).toBe(text);
    expect(parsed(removed(text, DESKTOP), DESKTOP)).toEqual({ mcpServers: {} });
  });
});

describe("an entry in TOML", () => {
  it.each([
    "",
    'model = "o"\n',
    '# mine\nmodel = "o" # note\n\n[mcp_servers.b]\ncommand = "b"\n',
    '[mcp_servers.b]\ncommand = "b"\n\n# about c\n[c]\nx = 1',
    'notes = """\n[mcp_servers.foundry-local]\ncommand = "no"\n"""\n[mcp_servers.b.env]\nA = "1"\n',
    "list = [\n  [1],\n  [2],\n]\r\n".replaceAll("\n", "\r\n").replaceAll("\r\r", "\r"),
    "[[profiles]]\nname = '[x]'\n",
    "big = 9223372036854775807\nwhen = 2026-01-01T00:00:00Z\nnan = nan\n",
  ])("is added to %j, and removed again", (before) => {
    const after = added(before, CODEX);

    expect(serverIn(after, CODEX)).toMatchObject({ command: "/usr/bin/node" });
    expect(after.startsWith(before)).toBe(true);
    expect(added(after, CODEX)).toBe(after);
    expect(removed(after, CODEX).trimEnd()).toBe(before.trimEnd());
  });

  it("is removed from the middle with its tables, and comments of others stay", () => {
    const text =
      '[a]\nx = 1\n\n[mcp_servers.foundry-local]\ncommand = "node"\nargs = ["/p/dist/main.js"]\n\n[mcp_servers.foundry-local.env]\nA = "1"\n\n# about b\n[b]\ny = 2\n';
    expect(removed(text, CODEX)).toBe("[a]\nx = 1\n\n# about b\n[b]\ny = 2\n");
  });

  const OWN = '[mcp_servers.foundry-local]\n# mine\ncommand = "old"\nargs = ["/o/dist/main.js"]\n';
  it.each([
    ["at the end", `${OWN}\n# [profiles.x]\n# model = "m"\n`],
    ["apart from the next table", `${OWN}\n# [profiles.x]\n\n[b]\ny = 2\n`],
    ["right behind it", `${OWN}# [profiles.x]\n[b]\ny = 2\n`],
  ])("ignores a commented-out entry %s", (_, text) => {
    const changed = withServer(text, CODEX, () => Object(CODEX.entry(SERVER)));
    const after = changed?.text ?? "";
    const others = text.slice(OWN.length);
    expect(after).toContain(others);
    expect(commentsOf(after)).toContain("# mine");
    expect(serverIn(after, CODEX)).toMatchObject({ command: "/usr/bin/node" });
    expect(removed(text, CODEX).trim()).toBe(others.trim());
  });

  it.each([
    ["a = ", "not valid TOML"],
    ["a = 1\na = 2\n", "not valid TOML in line 2"],
    ["mcp_servers = { b = { command = 'b' } }\n", "might be changed"],
    ["mcp_servers = 1\n", "not an object"],
  ])("is refused for %j with a message", (text, words) => {
    expect(() => added(text, CODEX)).toThrow(words);
  });
});

describe("an entry in YAML", () => {
  it.each([
    "",
    "GOOSE_MODEL: m\n",
    "GOOSE_MODEL: m",
    "# mine\nextensions:\n  developer: # note\n    enabled: true\n    name: developer\nGOOSE_MODEL: m\n",
    "extensions:\n    b:\n        cmd: b\n        args:\n        - x\n",
    "extensions: {}\nGOOSE_MODEL: m\n",
    "extensions:\nGOOSE_MODEL: m\n",
    "a: |\n  extensions:\n    x: y\nextensions:\n  b:\n    cmd: b\n\n# end\nz: 1\n",
    "extensions:\r\n  b:\r\n    cmd: b\r\n",
  ])("is added to %j, and removed again", (before) => {
    const after = added(before, GOOSE);
    const again = removed(after, GOOSE);

    expect(serverIn(after, GOOSE)).toMatchObject({ cmd: "/usr/bin/node", enabled: true });
    expect(added(after, GOOSE)).toBe(after);
    expect(withoutContainer(again, GOOSE)).toEqual(withoutContainer(before, GOOSE));
    expect(commentsOf(again)).toEqual(commentsOf(before));
  });

  it("is changed at its place, and its comments stay", () => {
    const text =
      "extensions:\n  foundry-local:\n    # mine\n    cmd: old\n    args: [/o/dist/main.js]\n  b:\n    cmd: b\n";
    const changed = withServer(text, GOOSE, () => Object(GOOSE.entry(SERVER)));
    const after = changed?.text ?? "";
    expect(after).toMatch(
      /^extensions:\n {2}# mine\n {2}foundry-local:\n[\s\S]*\n {2}b:\n {4}cmd: b\n$/,
    );
    expect(serverIn(after, GOOSE)).toMatchObject({ cmd: "/usr/bin/node" });
  });

  it("is changed behind a text of several lines, which gets none of its comments", () => {
    const text =
      "extensions:\n  other:\n    description: |\n      some text\n  foundry-local:\n    cmd: node\n    args: [/o/dist/main.js]\n    envs:\n      # my model\n      NOTE: |\n        # no comment\n";
    const changed = withServer(text, GOOSE, () => Object(GOOSE.entry(SERVER)));
    const after = changed?.text ?? "";
    expect(parsed(after, GOOSE).extensions.other).toEqual({ description: "some text\n" });
    expect(commentsOf(after)).toEqual(["# my model"]);
  });

  it.each([
    ["a: [", "not valid YAML"],
    ["a: 1\na: 2\n", "not valid YAML in line 2"],
    ["- a\n", "not an object"],
    ["extensions: {b: {cmd: b}}\n", "in braces"],
    ["extensions: text\n", "not an object"],
    ["a: 1\n---\nb: 2\n", "not valid YAML"],
    [`a: &a [x]\nb: &b [${"*a,".repeat(99)}]\nc: [${"*b,".repeat(99)}]\n`, "aliases"],
  ])("is refused for %j with a message", (text, words) => {
    expect(() => added(text, GOOSE)).toThrow(words);
  });
});

/** Comments and their order; strings are not looked into, which the files here do not need. */
const commentsOf = (text: string): string[] =>
  [...text.matchAll(/(?:^|\s)(?:\/\/|#) .*|\/\*.*?\*\//g)].map(([comment]) => comment.trim());

function withoutContainer(text: string, { container, ...host }: HostKind): unknown {
  const { [container]: servers, ...rest } = parsed(text, { container, ...host });
  return { ...rest, servers: servers ?? {} };
}

const word = fc.stringMatching(/^[A-Za-z_][\w -]{0,8}$/);
const scalar = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.constantFrom("// no", "# no", "{", "}", "[mcp_servers.foundry-local]", "a: b", "ü", "'", '"'),
  fc.integer({ min: -1000, max: 1000 }),
  fc.boolean(),
);
const server = fc.record({
  command: fc.string({ maxLength: 12 }),
  args: fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }),
});
const settings = fc.dictionary(
  word,
  fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.dictionary(word, scalar, { maxKeys: 3 })),
  { maxKeys: 5 },
);
const servers = fc.dictionary(word, server, { maxKeys: 3 });

/** Adds to a text what people and editors add: comments, blank lines, other line ends. */
function mutated(text: string, mark: "//" | "#", seed: number): string {
  let random = seed;
  const chance = (): boolean => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return random % 7 < 2;
  };
  const lines = text.split("\n").flatMap((line) => {
    const canHave = !/^\s*[|>]|"""|'''/.test(line);
    return [
      ...(chance() && canHave ? [`${/^\s*/.exec(line)?.[0] ?? ""}${mark} kept ${seed}`] : []),
      ...(chance() ? [""] : []),
      line,
    ];
  });
  const joined = lines.join(chance() ? "\r\n" : "\n");
  return chance() ? `\ufeff${joined}` : joined;
}

it.each([
  [ZED, "//"],
  [DESKTOP, "//"],
  [CODEX, "#"],
  [GOOSE, "#"],
] as const)("nothing is lost in 60 files of $title", (host, mark) => {
  const { container, format } = host;
  let compared = 0;
  fc.assert(
    fc.property(settings, servers, fc.boolean(), fc.nat(), (rest, others, isFirst, seed) => {
      const whole = isFirst ? { [container]: others, ...rest } : { ...rest, [container]: others };
      const text = mutated(written(whole, format), mark, seed);
      let before: Record<string, unknown>;
      try {
        before = parsed(text, host);
      } catch {
        // A comment in the middle of a value: not a file.
        return;
      }
      let after: string;
      try {
        after = added(text, host);
      } catch (error) {
        // To refuse loses nothing; it must have a reason.
        expect(String(error)).toMatch(/in braces|might be changed|is not a map/);
        return;
      }
      const again = removed(after, host);

      const { [container]: nowServers, ...nowRest } = parsed(after, host);
      const { "foundry-local": own, ...nowOthers } = nowServers;
      const { [container]: _servers, ...beforeRest } = before;
      expect(nowRest).toEqual(beforeRest);
      expect(nowOthers).toEqual(before[container] ?? {});
      expect(own).toEqual(host.entry(SERVER));
      expect(added(after, host)).toBe(after);
      expect(withoutContainer(again, host)).toEqual(withoutContainer(text, host));
      const marks = (each: string): number => each.split(`${mark} kept ${seed}`).length;
      expect(marks(after)).toBe(marks(text));
      expect(marks(again)).toBe(marks(text));
      compared += 1;
    }),
    { numRuns: 100, seed: 15 },
  );
  expect(compared).toBeGreaterThanOrEqual(60);
});

function written(value: object, format: HostKind["format"]): string {
  if (format === "json") return JSON.stringify(value, null, 2);
  return format === "yaml" ? yamlText(value) : tomlText(value);
}

it.each([
  ["{}", DESKTOP, true],
  ['{"mcpServers": {}}', DESKTOP, true],
  ["", CODEX, true],
  ["// mine\n{}", DESKTOP, false],
  ['{"a": 1}', DESKTOP, false],
])("%j has no content: %o", (text, host, isEmpty) => {
  expect(isBare(text, host)).toBe(isEmpty);
});
