import { describe, expect, it } from "vitest";
import { installAdvice, noEndpointError } from "../../../src/foundry/discovery/no-endpoint.js";
import type { Machine } from "../../../src/platform/machine.js";

const machine = (
  platform: NodeJS.Platform,
  arch: string,
  environment: Machine["environment"] = {},
): Machine => ({ platform, arch, environment, home: "/home/somebody" });

const advice = (where: Machine, mayEmbed = true): string => installAdvice(where, { mayEmbed });

describe("the advice how to install Foundry Local", () => {
  it.each(["x64", "arm64"])("is winget on Windows %s", (arch) => {
    expect(advice(machine("win32", arch))).toMatch(
      /^Install Foundry Local with `winget install Microsoft\.FoundryLocal` and start it with `foundry server start`/,
    );
  });

  it("is brew on a Mac with Apple silicon", () => {
    expect(advice(machine("darwin", "arm64"))).toMatch(
      /^Install Foundry Local with `brew tap microsoft\/foundrylocal && brew install foundrylocal`/,
    );
  });

  it("is another engine on an Intel Mac, and brew if Node runs under Rosetta", () => {
    const text = advice(machine("darwin", "x64"));

    expect(text).toMatch(
      /^Foundry Local does not run on Macs with an Intel processor: set the option `endpoint`/,
    );
    expect(text).toContain("On a Mac with an Apple chip");
    expect(text).not.toContain("npm install");
  });

  it("is the SDK or the newer command line on Linux, never the old service", () => {
    const text = advice(machine("linux", "x64"));

    expect(text).toMatch(
      /^Quickest is to install the SDK beside foundry-local-mcp, with `npm install /,
    );
    expect(text).toContain("0.11 or later");
    expect(text).not.toContain("service start");
  });

  it.each([
    "/usr/lib/node_modules/foundry-local-mcp/",
    "C:\\Users\\u\\AppData\\Roaming\\npm\\node_modules\\foundry-local-mcp\\",
  ])("is an npm install of the SDK in the folder of this package: %s", (packageFolder) => {
    const text = installAdvice(machine("linux", "x64"), { mayEmbed: true, packageFolder });

    expect(text).toContain("npm install -g --allow-scripts=foundry-local-sdk foundry-local-sdk");
    expect(text).toContain("`npm install foundry-local-sdk` in the project");
    expect(text.length).toBeLessThanOrEqual(530);
  });

  it.each([
    "/home/u/.npm/_npx/1a/node_modules/foundry-local-mcp/",
    "C:\\npm-cache\\_npx\\1a\\node_modules\\foundry-local-mcp\\",
  ])("is a global install of both where npx has started this package: %s", (packageFolder) => {
    const text = installAdvice(machine("linux", "x64"), { mayEmbed: true, packageFolder });

    expect(text).toContain("foundry-local-sdk`, and foundry-local-mcp globally, too");
    expect(text).not.toContain("in the project");
  });

  it.each(["/home/u/foundry-local-mcp/", "C:\\src\\foundry-local-mcp\\"])(
    "is an install of the SDK into a clone: %s",
    (packageFolder) => {
      const text = installAdvice(machine("linux", "x64"), { mayEmbed: true, packageFolder });

      expect(text).toContain("`npm install --no-save --save-dev foundry-local-sdk` in the folder");
      expect(text).not.toContain("npm install -g");
    },
  );

  it("names the setting that keeps the SDK from being used", () => {
    expect(advice(machine("linux", "x64"), false)).toContain("set the option `embedded` to auto");
    expect(advice(machine("linux", "x64"), true)).not.toContain("the option `embedded`");
  });

  it.each([
    ["freebsd", "x64"],
    ["linux", "riscv64"],
    ["win32", "ia32"],
  ] as const)("is an engine on another machine for %s %s", (platform, arch) => {
    expect(advice(machine(platform, arch))).toMatch(/^There is no Foundry Local for this system/);
  });

  it("explains inside WSL how to reach a service of Windows", () => {
    const inside = { WSL_DISTRO_NAME: "Ubuntu" };
    const action = (on: Machine): string =>
      noEndpointError({ kind: "no_cli" }, [], on, { mayEmbed: true, isCliSet: false }).action;

    expect(action(machine("linux", "x64", inside))).toContain("networkingMode=mirrored");
    expect(action(machine("linux", "x64"))).not.toContain("WSL");
    // Windows itself passes the variable on to programs that WSL starts there.
    expect(action(machine("win32", "x64", inside))).not.toContain("WSL");
  });

  it("always names the option `endpoint`", () => {
    for (const platform of ["win32", "darwin", "linux", "freebsd"] as const) {
      expect(advice(machine(platform, "x64"))).toContain("the option `endpoint`");
    }
  });
});
