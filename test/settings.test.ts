import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import {
  describeSettings,
  misspelledSettings,
  passedSettings,
  readSettings,
  settingsInForce,
  settingsOfFlags,
  withoutSecrets,
  withoutSettings,
} from "../src/settings.js";

const NAMES = [
  "FOUNDRY_ENDPOINT",
  "FOUNDRY_API_KEY",
  "FOUNDRY_HEADERS",
  "FOUNDRY_MODEL",
  "FOUNDRY_TIMEOUT",
  "FOUNDRY_STALL_TIMEOUT",
  "FOUNDRY_LOAD_TIMEOUT",
  "FOUNDRY_DOWNLOAD_STALL_TIMEOUT",
  "FOUNDRY_RETRIES",
  "FOUNDRY_MAX_TOKENS",
  "FOUNDRY_LOG_LEVEL",
] as const;

const NOTES = process.platform === "win32" ? "C:\\notes" : "/home/me/notes";

const URL_ALLOWED = "a URL such as http://127.0.0.1:5273, with or without /v1, and without ? or #";
const LEVELS = "one of trace, debug, info, warn, error, fatal, silent, in any case";

describe("readSettings", () => {
  it("returns nothing where nothing is set, so that the defaults apply", () => {
    expect(readSettings([], { PATH: "/bin", FOUNDRY_UNKNOWN: "x" })).toEqual({});
  });

  const unfilled = ["user_config.model", "input:model", "env:MODEL", "MODEL", ""].map(
    (name) => `$\{${name}}`,
  );

  it.each(["", " ", ...unfilled, ` ${unfilled[0]} `])(
    "treats %j, a placeholder that a host left unfilled, as unset",
    (raw) => {
      expect(readSettings([], { FOUNDRY_MODEL: raw, FOUNDRY_TIMEOUT: raw })).toEqual({});
      expect(readSettings(["--model", raw], {})).toEqual({});
    },
  );

  it.each(['""', "''", `"${unfilled[0]}"`])("treats %j as unset", (raw) => {
    expect(readSettings([], { FOUNDRY_MODEL: raw, FOUNDRY_API_KEY: raw })).toEqual({});
  });

  it("takes off the quotes that the Command Prompt and files of variables leave around a value", () => {
    const quoted = {
      FOUNDRY_API_KEY: '"sk-1"',
      FOUNDRY_MODEL: " 'auto' ",
      FOUNDRY_TIMEOUT: '"30"',
      FOUNDRY_HEADERS: `'{"X-Team":"research"}'`,
    };

    expect(readSettings([], quoted)).toEqual({
      FOUNDRY_API_KEY: "sk-1",
      FOUNDRY_MODEL: "auto",
      FOUNDRY_TIMEOUT: 30,
      FOUNDRY_HEADERS: { "X-Team": "research" },
    });
    expect(passedSettings([], { FOUNDRY_API_KEY: '"sk-1"' })).toEqual({ FOUNDRY_API_KEY: "sk-1" });
  });

  it("leaves the quotes of each folder in a list", () => {
    const separator = process.platform === "win32" ? ";" : ":";
    const others = process.platform === "win32" ? "C:\\other" : "/home/me/other";

    const { FOUNDRY_FILES } = readSettings([], {
      FOUNDRY_FILES: `"${NOTES}"${separator}"${others}"`,
    });

    expect(FOUNDRY_FILES).toEqual([NOTES, others]);
  });

  it.each([`${unfilled[0]}b`, "$a", `a${unfilled[0]}`, "{a}", "$"])(
    "treats %j as a value",
    (raw) => {
      expect(readSettings([], { FOUNDRY_MODEL: raw })).toEqual({ FOUNDRY_MODEL: raw });
    },
  );

  it.each([
    ["FOUNDRY_ENDPOINT", "https://gateway.example", "https://gateway.example"],
    ["FOUNDRY_API_KEY", " sk-1 ", "sk-1"],
    ["FOUNDRY_HEADERS", '{"X-Team":"research","X-B":""}', { "X-Team": "research", "X-B": "" }],
    ["FOUNDRY_MODEL", "Phi-4-Mini", "Phi-4-Mini"],
    ["FOUNDRY_TIMEOUT", "0.5", 0.5],
    ["FOUNDRY_STALL_TIMEOUT", "86400", 86400],
    ["FOUNDRY_RETRIES", "0", 0],
    ["FOUNDRY_MAX_TOKENS", "1000000", 1_000_000],
    ["FOUNDRY_AUTOSTART", "FALSE", false],
    ["FOUNDRY_EMBEDDED", "Auto", "auto"],
    ["FOUNDRY_CONCURRENCY", "Auto", "auto"],
    ["FOUNDRY_KEEP", "Never", "never"],
    ["FOUNDRY_DISCOVERY", "Declared", "declared"],
    ["FOUNDRY_DISCOVERY", "auto", "auto"],
    ["FOUNDRY_CLI", "/opt/foundry", "/opt/foundry"],
    ["FOUNDRY_FILES", NOTES, [NOTES]],
    ["FOUNDRY_VECTORS", NOTES, NOTES],
    ["FOUNDRY_LOG_LEVEL", "Silent", "silent"],
  ])("reads %s=%s", (name, raw, value) => {
    expect(readSettings([], { [name]: raw })).toEqual({ [name]: value });
  });

  it.each([
    [["--files", NOTES], [NOTES]],
    [
      ["--files", NOTES, `${NOTES}2`, "--model", "a"],
      [NOTES, `${NOTES}2`],
    ],
    [
      ["--model", "a", "--files", NOTES, `${NOTES}2`],
      [NOTES, `${NOTES}2`],
    ],
    [[`--files=${NOTES}`], [NOTES]],
    [
      ["--files", NOTES, "--model", "a", "--files", `${NOTES}2`],
      [NOTES, `${NOTES}2`],
    ],
    [
      [`--files=${NOTES}`, `--files=${NOTES}2`],
      [NOTES, `${NOTES}2`],
    ],
    [["--files"], undefined],
    [["--files", NOTES, "--"], [NOTES]],
    [["--files", "--model", "a"], undefined],
    [["--files", ""], undefined],
    [["--files", `$\{user_config.folders}`], undefined],
  ])("reads the folders of %j", (flags, folders) => {
    expect(readSettings(flags, {}).FOUNDRY_FILES).toEqual(folders);
  });

  it.each([
    ["FOUNDRY_ENDPOINT", "127.0.0.1:5273", URL_ALLOWED, "searched for"],
    ["FOUNDRY_ENDPOINT", "ftp://127.0.0.1", URL_ALLOWED, "searched for"],
    ["FOUNDRY_AUTOSTART", "yes", "true or false", "true"],
    ["FOUNDRY_EMBEDDED", "maybe", "true, false or auto", "auto"],
    ["FOUNDRY_DISCOVERY", "none", "one of auto, declared", "auto"],
    ["FOUNDRY_TIMEOUT", "0", "a number of seconds from 0.1 to 3600", "30"],
    ["FOUNDRY_TIMEOUT", "3600.1", "a number of seconds from 0.1 to 3600", "30"],
    ["FOUNDRY_TIMEOUT", "0x1e", "a number of seconds from 0.1 to 3600", "30"],
    ["FOUNDRY_TIMEOUT", "1e3", "a number of seconds from 0.1 to 3600", "30"],
    ["FOUNDRY_TIMEOUT", "Infinity", "a number of seconds from 0.1 to 3600", "30"],
    ["FOUNDRY_LOAD_TIMEOUT", "1,5", "a number of seconds from 0.1 to 86400", "900"],
    ["FOUNDRY_RETRIES", "2.5", "a whole number from 0 to 20", "3"],
    [
      "FOUNDRY_FILES",
      "notes",
      process.platform === "win32"
        ? "absolute paths of folders, such as C:\\Users\\me\\notes, separated by ;"
        : "absolute paths of folders, such as /home/me/notes, separated by :",
      "none",
    ],
    [
      "FOUNDRY_VECTORS",
      "notes",
      process.platform === "win32"
        ? "the absolute path of a folder, such as C:\\Users\\me\\notes"
        : "the absolute path of a folder, such as /home/me/notes",
      "none",
    ],
    ["FOUNDRY_MAX_TOKENS", "0", "a whole number from 1 to 1000000", "1024"],
    ["FOUNDRY_LOG_LEVEL", "loud", LEVELS, "info"],
  ])("refuses %s=%s with name, value and allowed values", (name, raw, allowed, preset) => {
    expect(() => readSettings([], { [name]: raw })).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message: `Invalid value for ${name}: ${JSON.stringify(raw)}.`,
        action: `Set it to ${allowed}, or leave it out (default: ${preset}).`,
      }),
    );
  });

  it.each(["a key with many spaces", "short", "ein-Schlüssel-mit-ü"])(
    "refuses the key %j, which HTTP clients could not send, without showing it",
    (raw) => {
      const read = () => readSettings([], { FOUNDRY_HTTP_KEY: raw });
      expect(read).toThrowError(
        expect.objectContaining({
          code: "INVALID_SETTING",
          message: expect.not.stringContaining(raw),
          action: expect.stringContaining("without spaces"),
        }),
      );
    },
  );

  it.each(["not json", "[]", '{"X-Key":7}', '"s3cret"', "null"])(
    "refuses FOUNDRY_HEADERS=%s without showing it, as it may contain keys",
    (raw) => {
      expect(() => readSettings([], { FOUNDRY_HEADERS: raw })).toThrowError(
        expect.objectContaining({
          message: "Invalid value for FOUNDRY_HEADERS: (hidden).",
          action:
            'Set it to a JSON object of texts, such as {"X-Team":"research"}, or leave it out (default: none).',
        }),
      );
    },
  );

  it.each([
    ["a line break in a value", { "X-Key": "s3cret\ny" }, '"X-Key" has a value with a line break'],
    ["letters that are not Latin", { "X-Key": "ключ" }, '"X-Key" has a value with a line break'],
    ["a header of the client", { Host: "example" }, '"Host" is written by the client itself'],
    ["a whole header as a name", { "X-Key: s3cret": "" }, "one has a name that HTTP does not"],
  ])("refuses FOUNDRY_HEADERS with %s before the first request", (_, headers, why) => {
    const environment = { FOUNDRY_HEADERS: JSON.stringify(headers) };
    expect(() => readSettings([], environment)).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message: "Invalid value for FOUNDRY_HEADERS: (hidden).",
        action: expect.stringContaining(`; ${why}`),
      }),
    );
  });

  it.each(["sk-1\nsk-2", "sk-ключ", "sk-1…"])(
    "refuses FOUNDRY_API_KEY=%j, which no header can have, before the first request",
    (raw) => {
      expect(() => readSettings([], { FOUNDRY_API_KEY: raw })).toThrowError(
        expect.objectContaining({
          code: "INVALID_SETTING",
          message: "Invalid value for FOUNDRY_API_KEY: (hidden).",
          action:
            "Set it to a key without line breaks or other characters that HTTP does not allow, or leave it out (default: none).",
        }),
      );
    },
  );

  it("reads FOUNDRY_ROUTES with the names of the library", () => {
    const routes = {
      code: { model: "coder", temperature: 0, max_tokens: 5, tool: true, description: "Code" },
    };
    expect(readSettings([], { FOUNDRY_ROUTES: JSON.stringify(routes) })).toEqual({
      FOUNDRY_ROUTES: {
        code: { model: "coder", temperature: 0, maxTokens: 5, tool: true, description: "Code" },
      },
    });
  });

  it.each([
    ["not json", ""],
    ["[]", ""],
    ['{"code":"coder"}', "; code is an object"],
    ['{"code":{"temperature":3}}', "; code.temperature is a number from 0 to 2"],
    [
      '{"code":{"temprature":0}}',
      '; code has no "temprature", but system, model, models, temperature, stop, seed, reasoning, max_tokens, top_p, reasoning_budget, tool, description',
    ],
    ['{"code":{"models":[]}}', "; code.models is a list of 1 to 10 names of models"],
    [
      '{"code":{"tool":true}}',
      "; code.description is a string that says what the tool is for, since tool is true",
    ],
    ['{"a b":{}}', "; a b is a name of 1 to 40 letters, digits, - or _"],
    [
      '{"batch":{"tool":true,"description":"x"}}',
      "; batch is another name, since complete_batch is a tool already",
    ],
    ['{"a":{},"A":{}}', "; a is names that differ in more than their case"],
  ])("refuses FOUNDRY_ROUTES=%s with the position", (raw, where) => {
    expect(() => readSettings([], { FOUNDRY_ROUTES: raw })).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        action: `Set it to a JSON object of routes such as {"code":{"model":"qwen2.5-coder-7b","temperature":0}}${where}, or leave it out (default: none).`,
      }),
    );
  });

  it.each([
    "http://127.0.0.1:1/?key=s3cret",
    "http://127.0.0.1:1/v1?",
    "http://127.0.0.1:1/#s3cret",
    "user:s3cret@127.0.0.1",
  ])("refuses FOUNDRY_ENDPOINT=%s without showing it, as it may contain keys", (raw) => {
    expect(() => readSettings([], { FOUNDRY_ENDPOINT: raw })).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message: "Invalid value for FOUNDRY_ENDPOINT: (hidden).",
        action: `Set it to ${URL_ALLOWED}, or leave it out (default: searched for).`,
      }),
    );
  });

  it("treats an empty or blank setting as unset", () => {
    for (const blank of ["", " \t"]) {
      const environment = Object.fromEntries(NAMES.map((name) => [name, blank]));
      expect(readSettings([], environment)).toEqual({});
    }
  });

  it("prefers a flag to its variable", () => {
    const settings = readSettings(["--model", "qwen3-0.6b", "--max-tokens=5"], {
      FOUNDRY_MODEL: "phi-4",
      FOUNDRY_RETRIES: "1",
    });
    expect(settings).toEqual({
      FOUNDRY_MODEL: "qwen3-0.6b",
      FOUNDRY_MAX_TOKENS: 5,
      FOUNDRY_RETRIES: 1,
    });
  });

  it("unsets a variable by a flag without a value", () => {
    expect(readSettings(["--model="], { FOUNDRY_MODEL: "phi-4" })).toEqual({});
  });

  it("ignores an invalid variable whose flag is given", () => {
    const settings = readSettings(["--timeout", "5"], { FOUNDRY_TIMEOUT: "soon" });
    expect(settings).toEqual({ FOUNDRY_TIMEOUT: 5 });
  });

  it("names the flag when the flag is invalid", () => {
    expect(() => readSettings(["--timeout", "soon"], {})).toThrowError(
      expect.objectContaining({ message: 'Invalid value for --timeout: "soon".' }),
    );
  });

  it("reports all invalid settings at once, and hides secrets in each", () => {
    const environment = {
      FOUNDRY_TIMEOUT: "soon",
      FOUNDRY_RETRIES: "-1",
      FOUNDRY_API_KEY: "hush",
      FOUNDRY_HEADERS: "X-Secret: hush",
    };
    expect(() => readSettings(["--max-tokens", "0"], environment)).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message:
          'Invalid value for FOUNDRY_HEADERS: (hidden). Invalid value for FOUNDRY_TIMEOUT: "soon". Invalid value for FOUNDRY_RETRIES: "-1". Invalid value for --max-tokens: "0".',
        action: [
          'Set FOUNDRY_HEADERS to a JSON object of texts, such as {"X-Team":"research"}, or leave it out (default: none).',
          "Set FOUNDRY_TIMEOUT to a number of seconds from 0.1 to 3600, or leave it out (default: 30).",
          "Set FOUNDRY_RETRIES to a whole number from 0 to 20, or leave it out (default: 3).",
          "Set --max-tokens to a whole number from 1 to 1000000, or leave it out (default: 1024).",
        ].join(" "),
      }),
    );
  });

  it.each([
    ["an unknown flag", ["--modle", "x"], "Unknown option '--modle'"],
    [
      "a word that belongs to no flag",
      ["http://127.0.0.1:5273"],
      "Unexpected argument 'http://127.0.0.1:5273'",
    ],
    ["a flag without its value", ["--model"], "Option '--model <value>' argument missing"],
  ])("refuses %s with the existing flags", (_what, flags, problem) => {
    expect(() => readSettings(flags, {})).toThrowError(
      expect.objectContaining({
        code: "INVALID_SETTING",
        message: expect.stringContaining(problem),
        action: expect.stringContaining(
          "--endpoint, --discovery, --autostart, --embedded, --cli, --api-key, --headers, --model",
        ),
      }),
    );
  });
});

describe("a relative path of the command line", () => {
  it.each(["./simulated/foundry", "simulated/foundry", "../foundry"])(
    "is absolute in the entry of a host and for the keeper: %s",
    (cli) => {
      const absolute = resolve(cli);

      expect(settingsOfFlags(["--cli", cli])).toMatchObject([{ flag: "--cli", raw: absolute }]);
      expect(passedSettings([], { FOUNDRY_CLI: cli })).toEqual({ FOUNDRY_CLI: absolute });
    },
  );

  it.each(["foundry", "~/bin/foundry", "%LOCALAPPDATA%\\foundry.exe"])("is none in %s", (cli) => {
    expect(readSettings(["--cli", cli], {}).FOUNDRY_CLI).toBe(cli);
  });
});

describe("misspelledSettings", () => {
  it.each([
    ["FOUNDRY_MODLE", "FOUNDRY_MODEL"],
    ["FOUNDRY_MODELS", "FOUNDRY_MODEL"],
    ["FOUNDY_MODEL", "FOUNDRY_MODEL"],
    ["FOUNDRYMODEL", "FOUNDRY_MODEL"],
    ["FOUNDRY_APIKEY", "FOUNDRY_API_KEY"],
    ["FOUNDRY_ENDPIONT", "FOUNDRY_ENDPOINT"],
    ["FOUNDRY_MAXTOKENS", "FOUNDRY_MAX_TOKENS"],
    ["FOUNDRY_STALLTIMEOUT", "FOUNDRY_STALL_TIMEOUT"],
    ["FOUNDRY_CLi", "FOUNDRY_CLI"],
    ["foundry_endpoint", "FOUNDRY_ENDPOINT"],
    ["FOUNDRY_QUEU", "FOUNDRY_QUEUE"],
  ])("suggests for %s the setting %s", (variable, meant) => {
    expect(misspelledSettings({ [variable]: "x" })).toEqual([{ variable, meant }]);
  });

  it.each([
    "FOUNDRY_HOME",
    "FOUNDRY_PROFILE",
    "FOUNDRY_DLL",
    "FOUNDRY_LOCAL_PORT",
    "FOUNDRY_",
    "F",
    `FOUNDRY_MODEL${"L".repeat(100_000)}`,
    "MODEL",
    "PATH",
  ])("ignores %s", (variable) => {
    expect(misspelledSettings({ [variable]: "x" })).toEqual([]);
  });

  it("ignores settings, blank ones, and on Windows those in any case", () => {
    const all = Object.fromEntries(NAMES.map((name) => [name, "x"]));
    expect(misspelledSettings(all)).toEqual([]);
    expect(misspelledSettings({ FOUNDRY_MODLE: " ", FOUNDRY_MODELL: undefined })).toEqual([]);
    expect(misspelledSettings({ foundry_model: "phi", FOUNDRY_MODEL: "phi" })).toEqual([]);
  });
});

describe("the variables of other programs", () => {
  it("have no secrets, and where another process gets them, no settings, in any case", () => {
    const given = { Path: "/bin", Foundry_Api_Key: "k", FOUNDRY_HTTP_KEY: "k", foundry_model: "m" };
    expect(withoutSecrets(given)).toEqual({ Path: "/bin", foundry_model: "m" });
    expect(withoutSettings(given)).toEqual({ Path: "/bin" });
  });

  it("are without addresses that have a password or a key", () => {
    const plain = { FOUNDRY_ENDPOINT: "http://127.0.0.1:1", FOUNDRY_OTEL: "http://127.0.0.1:2" };

    expect(withoutSecrets(plain)).toEqual(plain);
    expect(
      withoutSecrets({
        FOUNDRY_ENDPOINT: "http://me:s3cret@127.0.0.1:1",
        FOUNDRY_OTEL: "http://127.0.0.1:2/?key=s3cret",
      }),
    ).toEqual({});
  });
});

describe("describeSettings", () => {
  it("describes each setting with its flag and its default", () => {
    const text = describeSettings((meaning) => [meaning]);
    for (const name of NAMES) {
      const flag = name.replace("FOUNDRY_", "").toLowerCase().replaceAll("_", "-");
      expect(text).toMatch(new RegExp(`^ {2}${name}, --${flag} {2}\\(default: .+\\)$`, "m"));
    }
  });
});

describe("settingsInForce", () => {
  it.each([
    ["FOUNDRY_API_KEY", "a-key", "(hidden)"],
    ["FOUNDRY_ENDPOINT", "http://me:word@127.0.0.1:1", "(hidden)"],
    ["FOUNDRY_ENDPOINT", "http://127.0.0.1:1", "http://127.0.0.1:1"],
    ["FOUNDRY_OTEL", "http://me:word@127.0.0.1:4318", "(hidden)"],
    ["FOUNDRY_OTEL", "http://127.0.0.1:4318", "http://127.0.0.1:4318"],
    ["FOUNDRY_ROUTES", '{"code":{"system":"My name is Ada."}}', "(hidden)"],
  ])("shows %s=%s as %s", (name, raw, value) => {
    const found = settingsInForce([], { [name]: raw }).find((each) => each.name === name);
    expect(found).toEqual({ name, value, source: "environment" });
  });
});
