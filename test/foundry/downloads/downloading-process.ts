import { DownloadLock } from "../../../src/foundry/downloads/download-lock.js";

/**
 * A process that holds the download lock: `node --import tsx downloading-process.ts <home>
 * <end>`. Says `waiting` and `has it`; when its stdin ends it releases the lock, or exits without a release.
 */
const [home = "", end] = process.argv.slice(2);
const say = (word: string) => process.stdout.write(`${word}\n`);
const locks = new DownloadLock({ platform: process.platform, home });
await locks.run(
  new AbortController().signal,
  () => say("waiting"),
  async () => {
    say("has it");
    process.stdin.resume();
    await new Promise((resolve) => process.stdin.once("end", resolve));
    if (end === "exits") process.exit(0);
  },
);
