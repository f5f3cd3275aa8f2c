/** Hosts that mean any address of this machine, or a name whose first address may be IPv6. */
const HERE = new Set(["0.0.0.0", "[::]", "localhost", "*", "+"]);

const URL_WITH_PORT = /(https?):\/\/(\[[0-9a-f:.]+\]|[\w.-]+|\*|\+):(\d{1,5})(?!\d)/gi;

/**
 * The origins of all URLs with a port in a text, each once. A path such as `/openai/status` is cut
 * off. Port 0 stands for a service that has not chosen one, or that is not there.
 */
export function urlsIn(text: string): string[] {
  const origins = [...text.matchAll(URL_WITH_PORT)].flatMap(([, scheme, host, digits]) => {
    const port = Number(digits);
    if (scheme === undefined || host === undefined || port < 1 || port > 65_535) return [];
    const name = host.toLowerCase();
    return [`${scheme.toLowerCase()}://${HERE.has(name) ? "127.0.0.1" : name}:${port}`];
  });
  return [...new Set(origins)];
}
