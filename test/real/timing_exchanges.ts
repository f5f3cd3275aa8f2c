import { setTimeout as sleep } from "node:timers/promises";
import type { Recorder } from "./recorder.js";

/** The requests that are answered while a model loads. `ends` and `forever` are loaded. */
export async function recordDuringLoad(recorder: Recorder): Promise<void> {
  const { ends, slowLoad, thinks } = recorder.service.models;
  const load = recorder.load("load-slow-load", slowLoad).then(() => performance.now());
  const when = async () => {
    const answered = performance.now();
    // Requests that wait for the load are answered together with it, a moment before or after.
    return answered > (await load) - 200
      ? "when the load had ended"
      : "while the model still loaded";
  };
  await sleep(300);
  const asked = [
    recorder.get("status-during-load", "/status", { when }),
    recorder.get("models-during-load", "/v1/models", { when }),
    recorder.chat("chat-during-load", ends, { max_tokens: 4 }, { when }),
    recorder.chat("chat-of-the-loading-model", slowLoad, { max_tokens: 4 }, { when }),
    recorder.load("load-again-during-load", slowLoad, { when }),
    recorder.unload("unload-of-another-during-load", thinks, { when }),
  ];
  // Later than the others: on one version its waiting keeps further requests from starting.
  await sleep(200);
  asked.push(recorder.get("loaded-during-load", "/models/loaded", { when }));
  await sleep(200);
  asked.push(recorder.get("load-unknown-during-load", "/models/load/does-not-exist", { when }));
  await Promise.all([load, ...asked]);
  await recorder.get("loaded-after-load", "/models/loaded");
  await recorder.unload("unload-slow-load", slowLoad);
  await recorder.load("load-left-by-the-client", slowLoad, { leaveAfterMilliseconds: 500 });
  await waitFor(async () => {
    const { chunks } = await recorder.get("loaded-after-left-load", "/models/loaded");
    return chunks.join("").includes(slowLoad.id);
  });
}

/** Clients that disconnect. `slow` is loaded. */
export async function recordLeaving(recorder: Recorder): Promise<void> {
  const { slow } = recorder.service.models;
  const some = { max_tokens: 12, temperature: 0 };
  const stream = { ...some, stream: true };
  await recorder.chat("chat-stream-left-by-the-client", slow, stream, { leaveAfterChunks: 2 });
  // Versions that detect the disconnect still finish the current token.
  await sleep(1_500);
  await unloadUntilDone(recorder, "unload-after-left-stream");
  await recorder.load("load-slow-again", slow);
  await recorder.chat("chat-left-by-the-client", slow, some, { leaveAfterMilliseconds: 1_000 });
  await sleep(1_500);
  await unloadUntilDone(recorder, "unload-after-left-chat");
}

async function unloadUntilDone(recorder: Recorder, name: string): Promise<void> {
  const { slow } = recorder.service.models;
  const first = await recorder.unload(name, slow);
  if (first.status === 200) return;
  await waitFor(async () => (await recorder.unload(`${name}-later`, slow)).status === 200);
}

/** Repeats a request until the condition is true; each one replaces the previous recording. */
async function waitFor(done: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 120; attempt += 1) {
    if (await done()) return;
    await sleep(250);
  }
  throw new Error("a model did not reach its expected state within 30 s");
}

/** Crashes some versions. */
export async function recordUnloadDuringChat(recorder: Recorder): Promise<void> {
  const { slow } = recorder.service.models;
  await recorder.load("load-before-unload-during-chat", slow);
  const running = recorder.chat("chat-during-unload", slow, { max_tokens: 12, stream: true });
  await sleep(1_000);
  await recorder.unload("unload-during-chat", slow);
  await running;
  await recorder.get("status-after-unload-during-chat", "/status");
}

/** Ends some versions. */
export async function recordEmbeddingsWithChatModel(recorder: Recorder): Promise<void> {
  const { ends } = recorder.service.models;
  await recorder.load("load-before-embeddings-with-chat-model", ends);
  const body = { model: ends.id, input: "hello" };
  await recorder.post("embeddings-with-chat-model", "/v1/embeddings", body);
  await recorder.get("status-after-embeddings-with-chat-model", "/status");
}

/** Ends the service, or tries to. */
export async function recordShutdown(recorder: Recorder): Promise<void> {
  await recorder.send("shutdown", "POST", "/shutdown", "", { leaveAfterMilliseconds: 3_000 });
  await recorder.get("status-after-shutdown", "/status", { leaveAfterMilliseconds: 3_000 });
}
