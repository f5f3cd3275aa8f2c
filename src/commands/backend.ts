import { VectorFolder, Vectors } from "../documents/index.js";
import { AllowedFolders } from "../files/index.js";
import { SpeedMemory } from "../foundry/index.js";
import { FoundryClient } from "../jobs/index.js";
import { createLogger } from "../log.js";
import type { Backend } from "../mcp/index.js";
import { keepHeapSmall, ownDirectory, thisMachine } from "../platform/index.js";
import { misspelledSettings, type Settings, settingsInForce } from "../settings.js";
import { clientOptions, inMs, secretsOf } from "./client-options.js";
import { keepingOf } from "./keeping.js";
import { publicationOf } from "./running-servers.js";
import { telemetryOf } from "./telemetry/index.js";

/** The client and the log of a server, by its settings. */
export function createBackend(settings: Settings, flags: readonly string[]): Backend {
  keepHeapSmall();
  const secrets = secretsOf(settings);
  const log = createLogger(settings.FOUNDRY_LOG_LEVEL ?? "info", secrets);
  for (const { variable, meant } of misspelledSettings(process.env)) {
    log.warn({ variable, meant }, "a variable that is not a setting, perhaps misspelled");
  }
  const client = new FoundryClient(clientOptions(settings, log));
  client.service.speeds = new SpeedMemory({ directory: ownDirectory(thisMachine()), log });
  const kept = keepingOf(settings, flags, { client, log });
  const publication = publicationOf(settings, { client, log, secrets });
  const telemetry = telemetryOf(settings, { client, log, secrets });
  const changed = settingsInForce(flags, process.env).filter(({ source }) => source !== "default");
  const shown = Object.fromEntries(changed.map(({ name, value }) => [name, value]));
  const { FOUNDRY_VECTORS: folder } = settings;
  return {
    client,
    log,
    secrets,
    policy: {
      replyWithinMs: inMs(settings.FOUNDRY_REPLY_WITHIN),
      onCancel: settings.FOUNDRY_ON_CANCEL ?? "auto",
    },
    settings: shown,
    kept,
    publication,
    telemetry,
    files: new AllowedFolders(settings.FOUNDRY_FILES),
    vectors: new Vectors({ folder: folder === undefined ? null : new VectorFolder(folder, log) }),
  };
}
