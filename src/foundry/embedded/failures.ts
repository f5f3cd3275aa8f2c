import { FoundryError, PACKAGE_FOLDER } from "../../lib/index.js";
import { becauseOf, DOWNLOAD_ADVICE, type DownloadFault } from "../downloads/index.js";
import { SDK_NAME, sdkInstallation } from "./sdk.js";

/** The oldest version whose manager has all that is used: `docs/foundry-local.md`, section 12. */
const OLDEST = [1, 2] as const;

const ELSEWHERE = "or set the option `endpoint` to a Foundry Local that runs elsewhere";

/**
 * For every version of npm: npm 12 and later run only approved scripts, and the setting
 * `ignore-scripts` disables them in earlier versions.
 */
const RUN_SCRIPTS =
  `Run \`npm rebuild ${SDK_NAME} --ignore-scripts=false\` where it is installed, which downloads its native libraries; ` +
  `npm 12 and later require \`npm install-scripts approve ${SDK_NAME}\` before that. ` +
  `Installed globally: \`npm install -g --allow-scripts=${SDK_NAME} ${SDK_NAME}\`.`;

interface Explanation {
  readonly message: string;
  readonly action: string;
}

/** The messages of the SDK, its core or the system when it does not start. The first match decides. */
const START_FAILURES: readonly (readonly [RegExp, Explanation])[] = [
  [
    /Could not find foundry_local_napi\.node for platform|Unsupported platform: /,
    {
      message: `${SDK_NAME} has no build for this kind of machine.`,
      action: `It runs on Windows and on Linux with glibc, x64 and arm64, and on Macs with Apple silicon. Use one of those, ${ELSEWHERE}.`,
    },
  ],
  [
    // The message of musl's loader. That of glibc is "cannot open shared object file".
    /Error loading shared library |Error relocating /,
    {
      message: `${SDK_NAME} needs a Linux with glibc; this one has musl, as Alpine does.`,
      action: `Use a distribution with glibc 2.34 or newer, such as Debian 12, ${ELSEWHERE}.`,
    },
  ],
  [
    /version [`']GLIBC\w*_[\d.]+' not found/,
    {
      message: `${SDK_NAME} needs a newer C library than this Linux has.`,
      action: `Use a distribution with glibc 2.34 or newer, such as Debian 12 or Ubuntu 22.04, ${ELSEWHERE}.`,
    },
  ],
  [
    /could not auto-discover binaries/,
    {
      message: `${SDK_NAME} is installed without its native libraries: its install script has not run.`,
      action: RUN_SCRIPTS,
    },
  ],
  [
    /Unable to load shared library '(?:lib)?onnxruntime|Failed to load dependency library|libonnxruntime(?:-genai)?\.so[.\d]*: cannot open shared object file/,
    {
      message: `${SDK_NAME} is installed without all of its native libraries: ONNX Runtime is missing or does not load.`,
      action: RUN_SCRIPTS,
    },
  ],
  [
    /library load disallowed by system policy|code signature .* not valid/i,
    {
      message: `macOS does not let a native library of ${SDK_NAME} be loaded.`,
      action: `Take it out of quarantine, with xattr -dr com.apple.quarantine on the folder of ${SDK_NAME}, ${ELSEWHERE}.`,
    },
  ],
  [
    /Failed to load core library|\bERR_DLOPEN_FAILED\b/,
    {
      message: `A native library of ${SDK_NAME} is there but does not load.`,
      action: `It may be incomplete or made for another system; on Windows the Visual C++ runtime may be missing (winget install Microsoft.VCRedist.2015+.x64). ${RUN_SCRIPTS}`,
    },
  ],
];

const SEE_LOG = `The log at level debug shows what it wrote. Start Foundry Local by itself, ${ELSEWHERE}.`;

const failure = (
  { message, action }: Explanation,
  detail?: string,
  retryable = false,
): FoundryError => new FoundryError("EMBEDDED_FAILED", message, { action, retryable, detail });

/** The only output that identifies the cause of a crash: .NET prints it and ends the process. */
const NO_OPENSSL = /No usable version of libssl was found/;

export const notInstalled = (): FoundryError =>
  failure({
    message: `The npm package ${SDK_NAME} is not installed beside foundry-local-mcp.`,
    action: `Install it with ${sdkInstallation(PACKAGE_FOLDER)}.`,
  });

export function tooOld(version: string, packageFolder: string): FoundryError | null {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return failure({
    message: `${SDK_NAME} ${version} is too old; ${OLDEST.join(".")} or newer is needed.`,
    action: `Install a newer one in its place, with ${sdkInstallation(packageFolder, "@latest")}.`,
  });
}

/** The SDK reported that it cannot start. */
export const refused = (message: string, output: string): FoundryError =>
  failure(
    START_FAILURES.find(([pattern]) => pattern.test(message))?.[1] ?? {
      message: "The embedded Foundry Local could not be started.",
      action: SEE_LOG,
    },
    `${message}\n${output}`.trim(),
  );

/** The child process ended. `whileDoing`: such as `while it started`. */
export function crashed(end: string, whileDoing: string, output: string): FoundryError {
  if (NO_OPENSSL.test(output)) {
    return failure(
      {
        message: "Foundry Local needs OpenSSL, and its libraries are missing on this Linux.",
        action:
          "Install OpenSSL (its package is mostly called openssl or libssl3), then try again.",
      },
      output,
    );
  }
  return failure(
    {
      message: `The embedded Foundry Local ended ${whileDoing} (${end}).`,
      action: `Try again: it is started again. ${SEE_LOG}`,
    },
    output,
    true,
  );
}

export const silent = (seconds: number, output: string): FoundryError => {
  const message = `The embedded Foundry Local did not say where it listens within ${seconds} s and was ended.`;
  return failure({ message, action: `Try again. ${SEE_LOG}` }, output, true);
};

export const nowhere = (output: string): FoundryError => {
  const message = "The embedded Foundry Local started, but listens nowhere.";
  return failure({ message, action: SEE_LOG }, output);
};

const DOWNLOAD_FAULTS: readonly (readonly [RegExp, DownloadFault])[] = [
  [/no space left|not enough (?:disk )?space|disk (?:is )?full/i, "disk_full"],
  [/HttpRequestException|SocketException|Catalog request failed|timed? ?out/i, "network"],
  [/^\w+: Model variant with ID .* not found/, "not_in_catalog"],
];

export function notDownloaded(id: string, message: string): FoundryError {
  const [, fault] = DOWNLOAD_FAULTS.find(([pattern]) => pattern.test(message)) ?? [];
  const because = becauseOf(fault ?? "unknown", "the embedded Foundry Local's");
  return new FoundryError("DOWNLOAD_FAILED", `${id} was not downloaded${because}.`, {
    ...DOWNLOAD_ADVICE[fault ?? "unknown"],
    detail: message,
  });
}
