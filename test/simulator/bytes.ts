import { connect } from "node:net";

/**
 * Everything a service sends for these bytes until it closes the connection, or until `ms` have
 * passed where they are given.
 */
export function bytesOf(port: number, bytes: string, ms?: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.write(bytes);
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
    if (ms !== undefined) setTimeout(() => socket.destroy(), ms);
  });
}
