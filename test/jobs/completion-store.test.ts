import { expect, it } from "vitest";
import { CompletionProgress } from "../../src/foundry/completion/progress.js";
import { CompletionRun } from "../../src/jobs/completion-run.js";
import { CompletionStore, type StoreLimits } from "../../src/jobs/completion-store.js";

/** A store on a clock that the test moves. */
function storeOf(limits: Partial<StoreLimits>) {
  let time = 0;
  const gone: string[] = [];
  const most = { keptMs: 1000, most: 100, mostBytes: 1_000_000, ...limits };
  const store = new CompletionStore(
    most,
    () => time,
    (id) => void gone.push(id),
  );
  const finished = async (id: string, text: string) => {
    const run = completionOf(id, text);
    store.add(run);
    await run.ended;
    // The store handles the end one microtask later.
    await Promise.resolve();
  };
  return {
    store,
    gone,
    finished,
    pass: (ms: number) => {
      time += ms;
    },
  };
}

function completionOf(id: string, text: string, until = Promise.resolve()): CompletionRun {
  const progress = new CompletionProgress(0, () => 0, id);
  return runOf(id, progress, text, until);
}

function runOf(
  id: string,
  progress: CompletionProgress,
  text: string,
  until = Promise.resolve(),
): CompletionRun {
  const open = () => ({
    snapshot: () => progress.snapshot(),
    async *[Symbol.asyncIterator]() {
      await until;
      progress.addText(text);
      yield { type: "text", text } as const;
      progress.end("completed");
    },
  });
  return new CompletionRun({
    id,
    batchId: null,
    key: null,
    request: null,
    isRepeatable: false,
    open,
  });
}

const idsIn = (store: CompletionStore) => store.all().map(({ id }) => id);

it("keeps a finished completion for its time, and not longer", async () => {
  const { store, gone, finished, pass } = storeOf({ keptMs: 1000 });
  await finished("c-1", "One");
  pass(1000);
  expect(store.get("c-1")?.state().text).toBe("One");
  pass(1);
  expect(store.get("c-1")).toBeNull();
  expect(gone).toEqual(["c-1"]);
});

it("keeps a limited number, and evicts the oldest first", async () => {
  const { store, finished } = storeOf({ most: 2 });
  for (const id of ["c-1", "c-2", "c-3"]) await finished(id, "Text");
  expect(idsIn(store)).toEqual(["c-3", "c-2"]);
});

it("keeps a limited number of bytes, but always the completion that ended last", async () => {
  const { store, finished } = storeOf({ mostBytes: 100 });
  await finished("c-1", "x".repeat(30));
  await finished("c-2", "x".repeat(30));
  expect(idsIn(store)).toEqual(["c-2"]);
  await finished("c-3", "x".repeat(5000));
  expect(idsIn(store)).toEqual(["c-3"]);
});

it("counts the calls of tools and the value of a schema among the bytes", async () => {
  const { store } = storeOf({ mostBytes: 1000 });
  const long = { text: "x".repeat(600) };
  const calling = new CompletionProgress(0, () => 0, "c-1");
  calling.called([{ id: "call-1", name: "save", arguments: long }]);
  const valued = new CompletionProgress(0, () => 0, "c-2");
  valued.isValue(long, "");
  for (const [id, progress] of Object.entries({ "c-1": calling, "c-2": valued })) {
    const run = runOf(id, progress, "");
    store.add(run);
    await run.ended;
    await Promise.resolve();
    expect(idsIn(store)).toEqual([id]);
  }
  const last = completionOf("c-3", "Text");
  store.add(last);
  await last.ended;
  await Promise.resolve();
  expect(idsIn(store)).toEqual(["c-3"]);
});

it("pins a result until its batch has returned it, then keeps it as any other", async () => {
  const { store, pass } = storeOf({ keptMs: 1000 });
  const ofBatch = completionOf("c-1", "One");
  store.add(ofBatch, true);
  await ofBatch.ended;
  pass(5000);
  expect(store.get("c-1")?.state().text).toBe("One");
  store.unpin("c-1");
  pass(1000);
  expect(idsIn(store)).toEqual(["c-1"]);
  pass(1);
  expect(idsIn(store)).toEqual([]);
});

it("never evicts a running completion", async () => {
  const { store, finished, pass } = storeOf({ most: 1, keptMs: 1000 });
  let end = (): void => {};
  const running = completionOf(
    "c-1",
    "Late",
    new Promise((resolve) => {
      end = resolve;
    }),
  );
  store.add(running);
  await finished("c-2", "Text");
  await finished("c-3", "Text");
  pass(5000);
  expect(idsIn(store)).toEqual(["c-1"]);
  end();
  await running.ended;
  expect(store.get("c-1")?.state()).toMatchObject({ status: "completed", text: "Late" });
});
