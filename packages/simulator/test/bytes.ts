import { connect } from "node:net";

/**
 * Everything a service sends for these bytes until it closes the connection, or until `isEnough` is
 * true of it.
 */
export function bytesOf(
  port: number,
  bytes: string,
  isEnough: (text: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.write(bytes);
    socket.on("data", (data) => {
      text += data;
      if (isEnough(text)) socket.destroy();
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}
