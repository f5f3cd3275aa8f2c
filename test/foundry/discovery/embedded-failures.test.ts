import { describe, expect, test } from "vitest";
import { crashed, notDownloaded, refused, tooOld } from "../../../src/foundry/embedded/failures.js";

/**
 * Messages of foundry-local-sdk 1.2.3 with the core 1.2.4 on Linux x64, except for the paths; a message
 * marked with a star is the wording of another system's loader, and has not been run.
 */
const SAID = {
  noNativeLibraries:
    "Error: FoundryLocalCorePath not specified in configuration and could not auto-discover binaries. Please run 'npm install' to download native libraries.",
  noCore:
    "Error: Failed to load core library: /p/x.so (/p/x.so: cannot open shared object file: No such file or directory)",
  halfACore: "Error: Failed to load core library: /p/x.so (/p/x.so: file too short)",
  noOnnxRuntime: `Error: Command 'initialize' failed: Error: System.TypeInitializationException: A type initializer threw an exception. To determine which type, inspect the InnerException's StackTrace property.
 ---> System.DllNotFoundException: Unable to load shared library 'onnxruntime' or one of its dependencies. In order to help diagnose loading problems, consider using a tool like strace. If you're using glibc, consider setting the LD_DEBUG environment variable: 
onnxruntime.so: cannot open shared object file: No such file or directory`,
  noAddon:
    "Error: Could not find foundry_local_napi.node for platform darwin-x64. Searched: /p/prebuilds/darwin-x64/foundry_local_napi.node, /p/native/build/Release/foundry_local_napi.node. Please ensure the SDK was installed correctly or run 'npm run build:native' to compile from source.",
  /** * */
  musl: "Error ERR_DLOPEN_FAILED: Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /p/foundry_local_napi.node)",
  /** * */
  oldGlibc:
    "Error ERR_DLOPEN_FAILED: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by /p/foundry_local_napi.node)",
  unknown: "Error: something went wrong in /home/somebody",
} as const;

describe("an error of the SDK at its start", () => {
  test.each([
    ["noNativeLibraries", "its install script has not run"],
    ["noCore", "there but does not load"],
    ["halfACore", "there but does not load"],
    ["noOnnxRuntime", "ONNX Runtime is missing"],
    ["noAddon", "no build for this kind of machine"],
    ["musl", "needs a Linux with glibc"],
    ["oldGlibc", "needs a newer C library"],
    ["unknown", "could not be started"],
  ] as const)("has its own sentence: %s", (name, sentence) => {
    const error = refused(SAID[name], "");

    expect(error.code).toBe("EMBEDDED_FAILED");
    expect(error.message).toContain(sentence);
    expect(error.retryable).toBe(false);
  });

  test("never contains the SDK's message, which may contain paths and stacks", () => {
    const errors = Object.values(SAID).map((words) => refused(words, ""));

    for (const error of errors) {
      expect(`${error.message} ${error.action}`).not.toMatch(/\/p\/|\/home|Exception|Error:/);
      expect(error.detail).not.toBeNull();
    }
  });

  test("names the commands that let its install script run, for each npm", () => {
    const { action } = refused(SAID.noNativeLibraries, "");

    expect(action).toContain("npm rebuild foundry-local-sdk --ignore-scripts=false");
    expect(action).toContain("npm install-scripts approve foundry-local-sdk");
    expect(action).toContain("npm install -g --allow-scripts=foundry-local-sdk foundry-local-sdk");
  });
});

describe("the end of the SDK's process", () => {
  test("is reported as missing OpenSSL where .NET reports that", () => {
    const error = crashed(
      "signal SIGABRT",
      "while it started",
      "No usable version of libssl was found\n",
    );

    expect(error.message).toContain("needs OpenSSL");
  });

  test("is not explained by unrelated output", () => {
    const error = crashed(
      "exit code 139",
      "while it started",
      "libonnxruntime_providers_cuda.so: cannot open shared object file: No such file or directory",
    );

    expect(error.message).toContain("ended while it started (exit code 139)");
  });
});

describe("a version of the SDK", () => {
  test.each(["1.2.0", "1.2.3", "1.10.0", "2.0.1", "2.3.0-dev.1"])("%s is supported", (version) => {
    expect(tooOld(version, "/c")).toBeNull();
  });

  test.each(["0.5.0", "1.1.0"])("%s is too old", (version) => {
    expect(tooOld(version, "/c")?.message).toContain(version);
  });
});

describe("a failed download", () => {
  test("with an unreachable catalog is attributed to the network", () => {
    const error = notDownloaded(
      "tiny:1",
      "Error: Command 'download_model' failed: Error: Microsoft.Neutron.Downloader.RegionFallbackException: Registry request failed across 7 region(s): eastus(HttpRequestException)",
    );

    expect(error).toMatchObject({ code: "DOWNLOAD_FAILED", retryable: true });
    expect(error.message).toBe(
      "tiny:1 was not downloaded: the network or the model registry failed.",
    );
  });

  test("for an unknown reason is reported without one", () => {
    const error = notDownloaded("tiny:1", "Error: Command 'download_model' failed: something");

    expect(error.message).toBe("tiny:1 was not downloaded.");
  });
});
