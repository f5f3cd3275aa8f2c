import { FoundryClient } from "../jobs/index.js";
import { runKeeper, type SettingsSource } from "../keeper/index.js";
import { silentLogger } from "../log.js";
import { keepHeapSmall, thisMachine } from "../platform/index.js";
import { readSettings } from "../settings.js";
import { clientOptions } from "./client-options.js";
import { FOLDER_OF_SETTINGS, ownKeeperAddress } from "./keeping.js";

/** The keeper of this user: a server starts it, and it ends by itself. Its log has no reader. */
export async function keep(): Promise<number> {
  // A defect in one of the things that it holds does not end the others.
  process.on("unhandledRejection", () => {});
  keepHeapSmall();
  await runKeeper({ address: ownKeeperAddress(), clientOf });
  return 0;
}

const clientOf = ({ [FOLDER_OF_SETTINGS]: folder, ...settings }: SettingsSource): FoundryClient =>
  new FoundryClient(clientOptions(readSettings([], settings), silentLogger), {
    ...thisMachine(),
    folder,
  });
