import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { timeLimit } from "../../src/lib/async.js";
import { standStill } from "../stand-still.js";

it("a time limit is over after its time", async () => {
  const begin = performance.now();
  await new Promise<void>((resolve) => timeLimit(20, resolve));
  expect(performance.now() - begin).toBeGreaterThanOrEqual(19);
});

it("a time limit that was stopped does not expire, also after the process stood still", async () => {
  const over: string[] = [];
  const stop = timeLimit(20, () => over.push("stopped"));
  timeLimit(10, stop);
  standStill(100);
  await new Promise<void>((resolve) => timeLimit(300, resolve));
  expect(over).toEqual([]);
});

it("what arrived while the process stood still is read before a time limit is over", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = Object.assign({ port: 0 }, server.address());
  const socket = connect(port, "127.0.0.1");
  const [other] = await once(server, "connection");
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  const order: string[] = [];
  socket.once("data", () => order.push("read"));
  const over = new Promise<void>((resolve) =>
    timeLimit(200, () => {
      order.push("over");
      resolve();
    }),
  );
  other.write("it is there");
  standStill(300);
  await over;
  expect(order).toEqual(["read", "over"]);
});

it("a time limit expires, however often the process stands still", async () => {
  const begin = performance.now();
  const isOver = new Promise<void>((resolve) => timeLimit(200, resolve));
  let stands = 0;
  // At most 50 ms are given again.
  const standing = setInterval(() => {
    stands += 1;
    standStill(150);
  }, 1);
  onTestFinished(() => clearInterval(standing));
  await isOver;
  expect(stands).toBeLessThanOrEqual(8);
  expect(performance.now() - begin).toBeGreaterThanOrEqual(199);
});
