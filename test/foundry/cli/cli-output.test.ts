import { describe, expect, it } from "vitest";
import { readAnswer, readSoFar, readVersion } from "../../../src/foundry/cli/cli-output.js";

const read = (stdout: string, stderr = "") => readAnswer({ stdout, stderr });
const running = (urls: readonly string[]) => ({
  kind: "report",
  report: { kind: "running", urls },
});
const stopped = (urls: readonly string[] = []) => ({
  kind: "report",
  report: { kind: "stopped", urls },
});

/** What a Windows code page makes of the emoji. */
const MOJIBAKE = "ðŸŸ¢";
const REPLACED = "\ufffd\ufffd\ufffd\ufffd";

describe("the text output of foundry service", () => {
  it.each(["🟢", MOJIBAKE, REPLACED, "≡ƒƒó", "??"])("gives the address after %s", (emoji) => {
    const answer = read(
      `${emoji} Model management service is running on http://127.0.0.1:54657/openai/status\r\n` +
        "EP autoregistration status: Successfully downloaded and registered the following EPs: X.\r\n" +
        "Valid EPs: CPUExecutionProvider, WebGpuExecutionProvider\r\n",
    );
    expect(answer).toEqual(running(["http://127.0.0.1:54657"]));
  });

  it.each(["🔴", "ðŸ”´", REPLACED])("reports that it does not run after %s", (emoji) => {
    const answer = read(
      `${emoji} Model management service is not running!\nTo start the service, run the following command: foundry service start\n`,
    );
    expect(answer).toEqual(stopped());
  });

  it("gives the address of a started service", () => {
    expect(read("🟢 Service is Started on http://127.0.0.1:64646/, PID 17000!")).toEqual(
      running(["http://127.0.0.1:64646"]),
    );
  });

  it("gives the address where it ran before", () => {
    expect(read("🟢 Service is already running on http://127.0.0.1:64646/.")).toEqual(
      running(["http://127.0.0.1:64646"]),
    );
  });

  it("reports that it was stopped", () => {
    expect(read("🔴 Service is stopped.")).toEqual(stopped());
  });

  it("gives the final address after a restart", () => {
    const answer = read(
      "Saving new settings\nRestarting service...\n🔴 Service is stopped.\n🟢 Service is Started on http://127.0.0.1:22334/, PID 8!\n",
    );
    expect(answer).toEqual(running(["http://127.0.0.1:22334"]));
  });

  it("reports that it is not running although it contains an address", () => {
    expect(read("🔴 Service is not running on http://127.0.0.1:5273/.")).toEqual(
      stopped(["http://127.0.0.1:5273"]),
    );
  });

  it("reports that the command line cannot reach the service", () => {
    const words =
      "Exception: Request to local service failed. Uri:http://127.0.0.1:0/foundry/list\n";
    const broken = { kind: "broken", what: "says that it cannot reach its own service" };
    expect(read(words)).toEqual(broken);
    expect(read("", words)).toEqual(broken);
  });
});

describe("the text output of foundry server", () => {
  const TABLE = [
    "State    Ready",
    "PID      29056",
    "Started  2026-07-27 05:17:06Z",
    "Uptime   48m 44s",
    "Web URLs http://127.0.0.1:52364",
  ];

  it("gives the address", () => {
    expect(read(TABLE.join("\n"))).toEqual(running(["http://127.0.0.1:52364"]));
    expect(read(TABLE.join("\r\n"))).toEqual(running(["http://127.0.0.1:52364"]));
  });

  it("is understood with colours, too", () => {
    const coloured = TABLE.map((row) => `\u001b[1;32m${row}\u001b[0m`).join("\n");
    expect(read(coloured)).toEqual(running(["http://127.0.0.1:52364"]));
  });

  it.each(["Not running", "not_running", "Stopped"])("reports a stopped server: %s", (state) => {
    expect(read(`State    ${state}\nWeb URLs http://127.0.0.1:52364`)).toEqual(
      stopped(["http://127.0.0.1:52364"]),
    );
    expect(read(`State    ${state}\n`)).toEqual(stopped());
  });
});

describe("the JSON of foundry server", () => {
  it("reports a server that is starting, which is not one that has stopped", () => {
    expect(read('{"running":false,"state":"initializing"}')).toEqual({
      kind: "report",
      report: { kind: "starting", urls: [] },
    });
  });

  it("reports that it does not run", () => {
    expect(read('{"running":false,"state":"not_running"}')).toEqual(stopped());
    expect(read('{"state":"not_running"}')).toEqual(stopped());
  });

  it("gives the addresses of an earlier run", () => {
    const answer = read(
      '{"running":false,"state":"not_running","pid":23948,"webUrls":["http://127.0.0.1:48077"]}',
    );
    expect(answer).toEqual(stopped(["http://127.0.0.1:48077"]));
  });

  it("gives the address", () => {
    const answer = read(
      '{"running":true,"state":"ready","pid":23948,"webUrls":["http://127.0.0.1:48077"],"startedAt":"2026-07-27T05:17:06Z","uptime":"0s","logFile":""}',
    );
    expect(answer).toEqual(running(["http://127.0.0.1:48077"]));
  });

  it("gives the address after a start", () => {
    expect(read('{"running":true,"webUrls":["http://127.0.0.1:48077"],"port":48077}')).toEqual(
      running(["http://127.0.0.1:48077"]),
    );
    expect(read('{"running":true,"port":48077}')).toEqual(running(["http://127.0.0.1:48077"]));
  });

  it.each(["webUrls", "web_urls", "urls"])("may name the addresses %s", (member) => {
    expect(read(`{"running":true,"${member}":["http://127.0.0.1:1234/"]}`)).toEqual(
      running(["http://127.0.0.1:1234"]),
    );
    expect(read(`{"running":true,"${member}":"http://127.0.0.1:1234"}`)).toEqual(
      running(["http://127.0.0.1:1234"]),
    );
  });

  it("is read although members have wrong types", () => {
    expect(
      read('{"running":true,"state":7,"pid":"x","port":"y","webUrls":[null,"http://127.0.0.1:9"]}'),
    ).toEqual(running(["http://127.0.0.1:9"]));
  });

  it("is found among banners and log lines that contain braces", () => {
    const answer = read(
      [
        "Foundry Local {preview}",
        '[info] { not closed, said "the start',
        '[warn] catalog {"models":[]} read in {Elapsed} ms',
        "{",
        '  "running": true, "pid": 5,',
        '  "state": "re}ady \\" {",',
        '  "webUrls": ["http://127.0.0.1:48077"]',
        "}",
        "[info] done }} {0}",
      ].join("\n"),
    );
    expect(answer).toEqual(running(["http://127.0.0.1:48077"]));
  });

  it("is the last one where there are several", () => {
    expect(
      read('{"running":false,"state":"starting"}\n{"running":true,"urls":["http://127.0.0.1:7"]}'),
    ).toEqual(running(["http://127.0.0.1:7"]));
  });

  it("may be written to stderr", () => {
    expect(read("", '{"running":false}')).toEqual(stopped());
  });

  it("is replaced by the text output where it is useless", () => {
    expect(read('{"running":tr\nState Ready\nWeb URLs http://127.0.0.1:52364\n')).toEqual(
      running(["http://127.0.0.1:52364"]),
    );
    expect(read('{"running":true}\nWeb URLs http://127.0.0.1:52364\n')).toEqual(
      running(["http://127.0.0.1:52364"]),
    );
  });
});

describe("an address", () => {
  it.each([
    ["http://127.0.0.1:54657/openai/status", "http://127.0.0.1:54657"],
    ["http://localhost:5273/", "http://127.0.0.1:5273"],
    ["HTTP://LOCALHOST:5273", "http://127.0.0.1:5273"],
    ["http://0.0.0.0:5273", "http://127.0.0.1:5273"],
    ["http://[::]:5273", "http://127.0.0.1:5273"],
    ["http://*:5273", "http://127.0.0.1:5273"],
    ["http://+:5273", "http://127.0.0.1:5273"],
    ["http://[::1]:5273/", "http://[::1]:5273"],
    ["https://workstation.local:5273", "https://workstation.local:5273"],
  ])("%s is probed as %s", (told, asked) => {
    expect(read(JSON.stringify({ running: true, webUrls: [told] }))).toEqual(running([asked]));
    expect(read(`Web URLs ${told}`)).toEqual(running([asked]));
  });

  it.each(["http://127.0.0.1:0/", "http://127.0.0.1:99999", "http://127.0.0.1", "127.0.0.1:5273"])(
    "is not %s",
    (told) => {
      expect(read(JSON.stringify({ running: true, webUrls: [told] }))).toEqual({
        kind: "unusable",
      });
    },
  );

  it("is listed once, beside others", () => {
    expect(
      read(
        '{"running":true,"webUrls":["http://localhost:1","http://127.0.0.1:1","http://[::1]:1"]}',
      ),
    ).toEqual(running(["http://127.0.0.1:1", "http://[::1]:1"]));
  });

  it("is not taken from another URL in the output", () => {
    expect(
      read("Failed to bind to address http://127.0.0.1:5273: address already in use."),
    ).toEqual({ kind: "unusable" });
    expect(read("Read https://aka.ms:443/foundry-local for help.")).toEqual({ kind: "unusable" });
  });
});

describe("an unknown command", () => {
  it.each([
    "● error: Unrecognized command or argument 'service'.\nHint: Run 'foundry --help' to see usage.\n",
    "Unknown command: 'service'\nDid you mean 'server'?\n",
    "'server' was not matched. Did you mean one of the following?\nservice\n",
    "Required command was not provided.\nUnrecognized command or argument 'server'.\nUnrecognized command or argument 'status'.\nUnrecognized command or argument '-o'.\nUnrecognized command or argument 'json'.\n",
    "Required command was not provided.\n",
    "â— error: Unrecognized command or argument 'service'.",
  ])("is recognised by its message: %s", (words) => {
    expect(read("", words)).toEqual({ kind: "unknown_command" });
    expect(read(words)).toEqual({ kind: "unknown_command" });
  });

  it("is distinguished from an unknown option", () => {
    expect(
      read(
        "",
        "Unrecognized command or argument '-o'.\nUnrecognized command or argument 'json'.\n",
      ),
    ).toEqual({ kind: "unknown_option" });
  });
});

describe("a useless answer", () => {
  it.each([
    "",
    "\n",
    "Segmentation fault",
    "{}",
    "[]",
    '{"models":[]}',
    "{".repeat(100_000),
    "x".repeat(1_000_000),
    '{"a":'.repeat(20_000),
  ])("gives no state and no address", (words) => {
    expect(read(words)).toEqual({ kind: "unusable" });
  });
});

describe("an incomplete answer", () => {
  const soFar = (stdout: string) => readSoFar({ stdout, stderr: "" });
  const line = "🟢 Service is Started on http://127.0.0.1:64646/, PID 17000!\n";

  it("is not read before its address is complete", () => {
    expect(soFar(line.slice(0, line.indexOf("646")))).toEqual({ kind: "unusable" });
    expect(soFar(line.slice(0, line.indexOf("646/")))).toEqual({ kind: "unusable" });
    expect(soFar(line)).toEqual(running(["http://127.0.0.1:64646"]));
  });

  it("is never read as a shorter address", () => {
    const right = JSON.stringify(["http://127.0.0.1:64646"]);
    for (let length = 0; length <= line.length; length += 1) {
      const answer = soFar(line.slice(0, length));
      if (answer.kind !== "report") continue;
      expect(JSON.stringify(answer.report.urls)).toBe(right);
    }
  });

  it("is read as soon as its JSON is complete, without a line end", () => {
    const json = '{"running":true,"webUrls":["http://127.0.0.1:48077"],"port":48077}';
    expect(soFar(json.slice(0, -1))).toEqual({ kind: "unusable" });
    expect(soFar(json)).toEqual(running(["http://127.0.0.1:48077"]));
  });
});

describe("the version", () => {
  it.each([
    ["0.8.113+70167233c5\n", "0.8.113"],
    ["0.8.113\r\n", "0.8.113"],
    ["foundry version 0.10.3.\n", "0.10.3"],
    ["Foundry Local CLI v0.10.3 (SDK 1.2.4)\n", "0.10.3"],
    ["0.11.0-preview.1+abc\n", "0.11.0-preview.1"],
    ["0.8.113.0\n", "0.8.113.0"],
    ["Listening on http://127.0.0.1:5273, started 2026-07-27\n0.12.1\n", "0.12.1"],
    ["Uses .NET 9.0.1\n0.10.1+5d\n", "0.10.1"],
    ["\u001b[32m0.13.0\u001b[0m\n", "0.13.0"],
  ])("is found in %j", (words, version) => {
    expect(readVersion({ stdout: words, stderr: "" })).toBe(version);
  });

  it.each(["", "foundry\n", "http://127.0.0.1:5273\n", "1.2\n", "x".repeat(100_000)])(
    "is null where the output has none",
    (words) => {
      expect(readVersion({ stdout: words, stderr: "" })).toBeNull();
    },
  );
});
